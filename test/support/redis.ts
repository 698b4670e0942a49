import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { embedded } from "../../src/redis/embedded.ts";

export type ServerKind = "redis-server" | "embedded";

/** A Redis for tests, empty, on 127.0.0.1. */
export interface TestRedis extends AsyncDisposable {
  readonly kind: ServerKind;
  /** `redis://127.0.0.1:port` */
  readonly url: string;
  readonly port: number;
  /** Ends it at once, as a crash would. */
  close(): Promise<void>;
}

export interface StartRedisOptions {
  /** @default "redis-server" if it is installed, else "embedded" */
  readonly kind?: ServerKind;
  /** @default a free one */
  readonly port?: number;
  /** More arguments for redis-server, as `["--requirepass", "secret"]`. */
  readonly args?: readonly string[];
  /** Files of a key and a certificate: redis-server then talks TLS on its port. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

let hasBinary: boolean | undefined;

/** Whether a real redis-server is on this machine. */
export function hasRedisServer(): boolean {
  hasBinary ??= spawnSync("redis-server", ["--version"], { stdio: "ignore" }).status === 0;
  return hasBinary;
}

/** Starts a Redis; which one it is, `kind` tells. */
export async function startRedis(options: StartRedisOptions = {}): Promise<TestRedis> {
  const { kind = hasRedisServer() ? "redis-server" : "embedded", port = 0, tls } = options;
  const args = [...(options.args ?? []), ...(tls === undefined ? [] : tlsArgs(tls))];
  if (kind === "embedded") {
    const server = await embedded({ port });
    const { url, close } = server;
    return { kind, url, port: Number(new URL(url).port), close, [Symbol.asyncDispose]: close };
  }
  // Another process may take a free port before redis-server does; then it ends, and the next port is tried.
  for (let attempt = 1; ; attempt++) {
    const chosen = port === 0 ? await freePort() : port;
    const child = spawnServer(chosen, args);
    if (await isUp(child)) {
      const close = () => kill(child);
      return { kind, url: `redis://127.0.0.1:${chosen}`, port: chosen, close, [Symbol.asyncDispose]: close };
    }
    if (attempt === 5 || port !== 0) throw new Error(`redis-server does not start on port ${chosen}`);
  }
}

function spawnServer(port: number, args: readonly string[]): ChildProcess {
  const portOption = args.includes("--tls-cert-file") ? ["--port", "0", "--tls-port"] : ["--port"];
  const settings = [...portOption, String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  return spawn("redis-server", [...settings, ...args], { stdio: ["ignore", "pipe", "ignore"] });
}

function tlsArgs({ key, cert }: { readonly key: string; readonly cert: string }): string[] {
  return ["--tls-key-file", key, "--tls-cert-file", cert, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no"];
}

/** By its own word: on its port there may be another server, if that was quicker. */
async function isUp(child: ChildProcess): Promise<boolean> {
  const ended = once(child, "exit").then(() => false);
  const ready = new Promise<boolean>((resolve) => {
    let log = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-1_000);
      if (log.includes("Ready to accept connections")) resolve(true);
    });
  });
  return Promise.race([ready, ended]);
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  server.close();
  await once(server, "close");
  return port;
}
