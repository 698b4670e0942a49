import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { embedded } from "../../src/redis/embedded.ts";
import { until } from "./until.ts";

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
    if (await isUp(child, chosen, tls !== undefined || args.includes("--requirepass"))) {
      const close = () => kill(child);
      return { kind, url: `redis://127.0.0.1:${chosen}`, port: chosen, close, [Symbol.asyncDispose]: close };
    }
    if (attempt === 5 || port !== 0) throw new Error(`redis-server does not start on port ${chosen}`);
  }
}

function spawnServer(port: number, args: readonly string[]): ChildProcess {
  const portOption = args.includes("--tls-cert-file") ? ["--port", "0", "--tls-port"] : ["--port"];
  const settings = [...portOption, String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  return spawn("redis-server", [...settings, ...args], { stdio: "ignore" });
}

function tlsArgs({ key, cert }: { readonly key: string; readonly cert: string }): string[] {
  return ["--tls-key-file", key, "--tls-cert-file", cert, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no"];
}

async function isUp(child: ChildProcess, port: number, isGuarded: boolean): Promise<boolean> {
  let hasEnded = false;
  child.once("exit", () => {
    hasEnded = true;
  });
  try {
    await until(async () => hasEnded || (await isOwn(port, child.pid, isGuarded)));
  } catch (error) {
    await kill(child);
    throw error;
  }
  return !hasEnded;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/**
 * Whether what answers is this process: another server may have been quicker.
 *
 * @param isGuarded it wants a password or TLS before it tells: one that does is taken at its word
 */
function isOwn(port: number, pid: number | undefined, isGuarded: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    let isConnected = false;
    let reply = "";
    const socket = connect(port, "127.0.0.1", () => {
      isConnected = true;
      socket.write("INFO server\r\n");
    });
    socket.setTimeout(1_000, () => socket.destroy()); // Something else, that is silent.
    socket.setEncoding("utf8").on("data", (text: string) => {
      reply += text;
      const [, answering] = /\r\nprocess_id:(\d+)\r\n/.exec(reply) ?? [];
      if (answering !== undefined || reply.startsWith("-")) socket.destroy();
      if (answering !== undefined) resolve(Number(answering) === pid);
    });
    socket.on("error", () => undefined); // Closed follows.
    socket.once("close", () => resolve(isGuarded && isConnected && (reply === "" || reply.startsWith("-"))));
  });
}

/** Below those that systems hand out: Linux from 32768 on, macOS and Windows from 49152 on. */
const [FIRST_PORT, PORTS] = [10_000, 22_000];
let nextPort = Math.floor(Math.random() * PORTS);

/**
 * A port that was free a moment ago, and that no one is given who lets the system choose, be it a server or a connection that
 * goes out; so it is free still a moment later, and again after its server has closed.
 */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < PORTS; tried++) {
    nextPort = (nextPort + 1) % PORTS;
    const port = FIRST_PORT + nextPort;
    const server = createServer();
    if (!(await listens(server, port))) continue;
    server.close();
    await once(server, "close");
    return port;
  }
  throw new Error(`no port from ${FIRST_PORT} on is free`);
}

function listens(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
}
