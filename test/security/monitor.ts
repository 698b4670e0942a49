import { once } from "node:events";
import { connect } from "node:net";
import { until } from "../support/until.ts";

/** A command as the server carried it out, with who sent it: an address, or `lua` for one inside a script. */
export interface SeenCommand {
  readonly from: string;
  readonly args: readonly string[];
}

/** Everything that a Redis carries out, from the moment at which it is opened. */
export interface Monitor extends AsyncDisposable {
  /** Up to now; waits until the server has told all. */
  seen(): Promise<readonly SeenCommand[]>;
}

/** Watches a Redis by MONITOR. */
export async function openMonitor(port: number, mark: (text: string) => Promise<unknown>): Promise<Monitor> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.write("MONITOR\r\n");
  await until(() => text.startsWith("+OK\r\n"));
  let marks = 0;
  return {
    async seen() {
      const end = `monitor-mark-${++marks}`;
      await mark(end);
      await until(() => text.includes(end));
      return text
        .split("\r\n")
        .flatMap((line) => readLine(line) ?? [])
        .filter(({ args }) => !args[1]?.startsWith("monitor-mark-"));
    },
    async [Symbol.asyncDispose]() {
      socket.destroy();
    },
  };
}

function readLine(line: string): SeenCommand | undefined {
  const [, from, rest] = /^\+\d+\.\d+ \[\d+ ([^\]]*)\] (.*)$/s.exec(line) ?? [];
  if (from === undefined || rest === undefined) return undefined;
  return { from, args: Array.from(rest.matchAll(/"((?:[^"\\]|\\.)*)"/gs), ([, quoted = ""]) => unquote(quoted)) };
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", a: "\x07", b: "\b" };

/** To one character a byte. */
function unquote(quoted: string): string {
  return quoted.replace(/\\(?:x([0-9a-f]{2})|(.))/gs, (_, hex?: string, char = "") =>
    hex === undefined ? (ESCAPES[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
