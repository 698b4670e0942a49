import { spawn } from "node:child_process";
import { once } from "node:events";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { type Airlift, type AirliftOptions, createAirlift } from "../../../src/index.ts";
import { upstash } from "../../../src/redis/upstash.ts";
import type { RedisClient } from "../../../src/resque/client.ts";
import { startGateway, TEST_TOKEN } from "../../support/gateway.ts";
import { startRedis } from "../../support/redis.ts";
import { until } from "../../support/until.ts";
import { type RubyConsole, type RubyProcess, startRuby, startRubyConsole } from "./ruby-process.ts";

/** What one of the classes of jobs.rb and rails.rb was given. */
export interface RubyRun {
  readonly class: string;
  /** The args as Ruby writes them. */
  readonly json: string;
  readonly inspect: string;
  readonly executions?: number;
}

/** A Redis with Ruby on one side and Airlift, over HTTP, on the other. Empty at each test's start. */
export interface RubyWorld {
  readonly url: string;
  readonly redis: Redis;
  readonly client: RedisClient;
  /** {@link RubyConsole.evaluate} */
  ruby<T>(code: string, ...args: readonly unknown[]): Promise<T>;
  /** Starts one of the Ruby programs, until the test's end. */
  start(command: readonly string[], env?: Readonly<Record<string, string>>): RubyProcess;
  app(options: Partial<AirliftOptions> & Pick<AirliftOptions, "queues" | "jobs">): Airlift;
  /** Jobs that Ruby has begun, first to last. */
  ran(): Promise<readonly RubyRun[]>;
  /** Lets Ruby's `Hold` jobs end. */
  letGo(): Promise<void>;
  /** Starts a drain in a process of its own that holds so many jobs of the class `Hold`, and kills it. The ids of its workers. */
  killDrain(queue: string, jobs: number): Promise<readonly string[]>;
  /** Ends all leases, as if the drains had been silent for long. */
  endLeases(): Promise<void>;
  /** Runs at the test's end. */
  cleanUp(run: () => Promise<unknown>): void;
}

const HELD_DRAIN = new URL("held-drain-process.ts", import.meta.url).pathname;

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** `until`, for what another process has to do on a machine that may be busy. */
export const eventually: typeof until = (condition) => until(condition, { timeoutMs: 40_000 });

/** Opens a world for the tests of a `describe`. */
export function besideRuby(kind: "jobs" | "rails" = "jobs"): RubyWorld {
  let url: string;
  let redis: Redis;
  let client: RedisClient;
  let console: RubyConsole;
  let cleanups: (() => Promise<unknown>)[] = [];
  const closes: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    const server = await startRedis();
    url = server.url;
    const gateway = await startGateway(url);
    redis = new Redis(url);
    client = upstash({ url: gateway.url, token: TEST_TOKEN });
    console = startRubyConsole(kind, { REDIS_URL: url });
    closes.push(
      console.kill,
      () => client.close(),
      gateway.close,
      async () => redis.disconnect(),
      server.close,
    );
  });
  beforeEach(async () => {
    await redis.flushall();
  });
  afterEach(async () => {
    for (const run of cleanups.reverse()) await run();
    cleanups = [];
  });
  afterAll(async () => {
    for (const close of closes) await close();
  });

  return {
    get url() {
      return url;
    },
    get redis() {
      return redis;
    },
    get client() {
      return client;
    },
    ruby: (code, ...args) => console.evaluate(code, ...args),
    start(command, env = {}) {
      const ruby = startRuby(command, { REDIS_URL: url, ...env });
      cleanups.push(ruby.kill);
      return ruby;
    },
    app: (options) => createAirlift({ redis: client, logger: silent, ...options }),
    ran: async () => (await redis.lrange("ran", 0, -1)).map((line) => JSON.parse(line) as RubyRun),
    letGo: async () => void (await redis.set("go", 1)),
    async killDrain(queue, jobs) {
      const child = spawn(process.execPath, [HELD_DRAIN, url, queue, String(jobs)], { stdio: "inherit" });
      const closed = once(child, "close");
      await eventually(async () => (await redis.llen("held")) === jobs);
      child.kill("SIGKILL");
      await closed;
      return (await redis.smembers("resque:workers")).filter((id) => id.includes(`:${child.pid}-`));
    },
    async endLeases() {
      for (const member of await redis.zrange("resque:airlift:drains", 0, -1)) {
        await redis.zadd("resque:airlift:drains", 1, member);
      }
    },
    cleanUp: (run) => void cleanups.push(run),
  };
}
