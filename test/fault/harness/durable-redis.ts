import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { until } from "../../support/until.ts";

/** A redis-server that keeps on disk what it has acknowledged (`appendfsync always`), and can be done all kinds of harm. */
export interface DurableRedis extends AsyncDisposable {
  /** `redis://127.0.0.1:port` */
  readonly url: string;
  readonly port: number;
  /** A connection for looking at it, which survives its restarts. */
  readonly client: Redis;
  /** Ends it, TERM in order or KILL at once, and starts it again on the same port with what it had on disk. */
  restart(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** It takes no more writes (OOM) until {@link makeRoom}. */
  fill(): Promise<void>;
  makeRoom(): Promise<void>;
  /** It forgets every script. */
  flushScripts(): Promise<void>;
  /** It stands still, connections open, until {@link thaw}. */
  freeze(): void;
  thaw(): void;
  /** Rejects when it has ended without being asked to. */
  readonly died: Promise<never>;
  /** Commands that it has carried out, those inside scripts included; what it did between the last look and a KILL is not counted. */
  countCommands(): Promise<number>;
  close(): Promise<void>;
}

const UP_TIMEOUT_MS = 60_000;

/** Starts one on a free loopback port, in a folder of its own that goes with it. */
export async function startDurableRedis(): Promise<DurableRedis> {
  const folder = await mkdtemp(join(tmpdir(), "airlift-redis-"));
  const port = await findLowPort();
  const client = new Redis(port, "127.0.0.1", {
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
    lazyConnect: true,
  });
  client.on("error", () => undefined); // refused while it restarts
  const died = Promise.withResolvers<never>();
  died.promise.catch(() => undefined);
  let isEnding = false;
  let commandsBefore = 0;

  const begin = async (): Promise<ChildProcess> => {
    const started = await start(folder, port);
    started.once("exit", (status, signal) => {
      if (!isEnding) died.reject(new Error(`redis-server ended by itself with ${status ?? signal}`));
    });
    isEnding = false;
    return started;
  };
  let server = await begin();

  const commandsNow = async (): Promise<number> => {
    let calls = 0;
    for (const [, count] of (await client.info("commandstats")).matchAll(/^cmdstat_[^:]+:calls=(\d+)/gm)) {
      calls += Number(count);
    }
    return calls;
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, "exit");
    isEnding = true;
    server.kill("SIGCONT");
    server.kill(signal);
    await exited;
  };
  const close = async (): Promise<void> => {
    client.disconnect();
    await end("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    client,
    async restart(signal) {
      commandsBefore += await commandsNow();
      await end(signal);
      server = await begin();
    },
    async fill() {
      await client.config("SET", "maxmemory", "1");
    },
    async makeRoom() {
      await client.config("SET", "maxmemory", "0");
    },
    async flushScripts() {
      await client.script("FLUSH");
    },
    freeze: () => void server.kill("SIGSTOP"),
    thaw: () => void server.kill("SIGCONT"),
    died: died.promise,
    countCommands: async () => commandsBefore + (await commandsNow()),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function start(folder: string, port: number): Promise<ChildProcess> {
  const args = [
    ...["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--loglevel", "warning"],
    ...["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"],
  ];
  const server = spawn("redis-server", args, { stdio: "ignore" });
  await until(() => server.exitCode !== null || answers(port), { timeoutMs: UP_TIMEOUT_MS });
  if (server.exitCode !== null) throw new Error(`redis-server ended with ${server.exitCode} on port ${port}`);
  return server;
}

/**
 * A free port below those that outgoing connections are given: while a server is away, one that seeks it on a port of that range may be given that very
 * port, and be connected to itself.
 */
async function findLowPort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 15_000);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    probe.close();
    await once(probe, "close");
    return port;
  }
}

/** Whether it answers commands: not so while it reads its file. */
async function answers(port: number): Promise<boolean> {
  const probe = new Redis(port, "127.0.0.1", {
    retryStrategy: () => null,
    lazyConnect: true,
    enableReadyCheck: false,
    connectTimeout: 1_000,
    commandTimeout: 1_000,
  });
  probe.on("error", () => undefined);
  try {
    await probe.connect();
    return (await probe.ping()) === "PONG";
  } catch {
    return false;
  } finally {
    probe.disconnect();
  }
}
