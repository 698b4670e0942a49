import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "../support/until.ts";

/** A process with what it has written so far. */
export interface HostProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Standard output and standard error, as they came. */
  readonly output: string;
  signal(name: NodeJS.Signals): void;
  /** With its exit status; null if a signal ended it. */
  readonly ended: Promise<number | null>;
  /** Waits for it to write what fits, and returns the match. */
  sees(pattern: RegExp): Promise<RegExpExecArray>;
}

/** Starts a program in an environment that holds nothing but its path. */
export function startProcess(
  command: string,
  args: readonly string[],
  { env, ...options }: Pick<SpawnOptions, "cwd" | "env" | "stdio"> = {},
): HostProcess {
  const child = spawn(command, args, { ...options, env: { PATH: process.env["PATH"], NO_COLOR: "1", ...env } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  let hasEnded = false;
  const ended = once(child, "close").then(([status]: unknown[]) => {
    hasEnded = true;
    return status as number | null;
  });
  return {
    child,
    get output() {
      return output;
    },
    signal: (name) => void child.kill(name),
    ended,
    async sees(pattern) {
      const match = await until(() => pattern.exec(output) ?? hasEnded, { timeoutMs: 30_000 });
      if (typeof match === "boolean") throw new Error(`the process ended without ${pattern}: ${output}`);
      return match;
    },
    async [Symbol.asyncDispose]() {
      if (!hasEnded) child.kill("SIGKILL");
      await ended;
    },
  };
}

/** A command of test/runtime/'s own packages. */
export function runtimeCommand(name: string): string {
  return fileURLToPath(new URL(`node_modules/.bin/${name}`, import.meta.url));
}
