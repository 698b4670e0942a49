import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";

/** A redis-server of the benchmarks' own, on a free loopback port, writing nothing to disk. */
export interface RedisServer {
  readonly port: number;
  readonly version: string;
  flush(): Promise<void>;
  resetCounters(): Promise<void>;
  read(): Promise<RedisCounters>;
  client: Redis;
  stop(): Promise<void>;
}

/** What Redis itself has counted since the last reset. */
export interface RedisCounters {
  /** Calls by command, those inside scripts included, the harness's own left out. */
  readonly calls: Readonly<Record<string, number>>;
  /** Reads from clients' sockets: round trips, as commands that are sent together arrive together. */
  readonly reads: number;
  /** User and system time of the server, not reset. */
  readonly cpuMicros: number;
}

/** No redis-server on this machine. */
export class NoRedisServerError extends Error {}

const OWN_COMMANDS = new Set(["info", "config|resetstat"]);

/** @throws NoRedisServerError */
export async function startRedisServer(): Promise<RedisServer> {
  const port = await findFreePort();
  const args = [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--appendonly",
    "no",
    "--loglevel",
    "warning",
  ];
  const server = spawn("redis-server", args, { stdio: "ignore", cwd: "/" });
  await new Promise<void>((resolve, reject) => {
    server.once("spawn", resolve);
    server.once("error", () =>
      reject(new NoRedisServerError("redis-server: not found in PATH; the benchmarks need one")),
    );
  });
  process.once("exit", () => server.kill());
  const client = new Redis(port, "127.0.0.1", { retryStrategy: () => 20, maxRetriesPerRequest: null });
  client.on("error", () => {}); // refused until the server listens
  await Promise.race([
    client.ping(),
    once(server, "exit").then(() => Promise.reject(new NoRedisServerError("redis-server: exited before it answered"))),
    sleep(10_000, undefined, { ref: false }).then(() =>
      Promise.reject(new NoRedisServerError("redis-server: no answer within 10 s")),
    ),
  ]);
  return {
    port,
    client,
    version: /redis_version:(\S+)/.exec(await client.info("server"))?.[1] ?? "unknown",
    flush: async () => void (await client.flushall()),
    resetCounters: async () => void (await client.config("RESETSTAT")),
    read: async () => parseCounters(await client.info("stats", "cpu", "commandstats")),
    async stop() {
      client.disconnect();
      const exited = once(server, "exit");
      server.kill();
      await exited;
    },
  };
}

function parseCounters(info: string): RedisCounters {
  const calls: Record<string, number> = {};
  for (const [, name, count] of info.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)) {
    if (!OWN_COMMANDS.has(name!)) calls[name!] = Number(count);
  }
  const read = (field: string): number => Number(new RegExp(`^${field}:(\\S+)`, "m").exec(info)?.[1] ?? Number.NaN);
  return {
    calls,
    reads: read("total_reads_processed"),
    cpuMicros: Math.round((read("used_cpu_sys") + read("used_cpu_user")) * 1e6),
  };
}

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
