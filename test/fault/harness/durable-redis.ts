import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePort } from "../../support/redis.ts";
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
  /** Commands that it has carried out, those inside scripts included; what it did between the last look and a KILL is not counted. */
  countCommands(): Promise<number>;
  close(): Promise<void>;
}

const UP_TIMEOUT_MS = 60_000;

/** Starts one on a free loopback port, in a folder of its own that goes with it. */
export async function startDurableRedis(): Promise<DurableRedis> {
  const folder = await mkdtemp(join(tmpdir(), "airlift-redis-"));
  const port = await freePort();
  const client = new Redis(port, "127.0.0.1", {
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
    autoResendUnfulfilledCommands: false,
    lazyConnect: true,
  });
  client.on("error", () => undefined); // refused while it restarts
  let server = await start(folder, port);
  let commandsBefore = 0;

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
      server = await start(folder, port);
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
  await until(
    async () => {
      if (server.exitCode !== null) throw new Error(`redis-server ended with ${server.exitCode}`);
      return answers(port);
    },
    { timeoutMs: UP_TIMEOUT_MS },
  );
  return server;
}

/** Whether it answers commands: not so while it reads its file. */
async function answers(port: number): Promise<boolean> {
  const probe = new Redis(port, "127.0.0.1", { retryStrategy: () => null, lazyConnect: true, enableReadyCheck: false });
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
