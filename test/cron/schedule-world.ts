import type { AnyJobDefinition, Logger } from "../../src/core/job.ts";
import type { TickResult } from "../../src/core/scheduler.ts";
import { type CronOptions, cron } from "../../src/cron/cron.ts";
import { encodeKnown } from "../../src/encode-job.ts";
import { isScriptCall, type RedisClient, type RedisReply, type Usage } from "../../src/resque/client.ts";
import type { EnqueueRequest } from "../../src/resque/encoded-job.ts";
import type { BoundScheduler } from "../../src/resque/scheduler.ts";
import { openWorld, type World } from "../conformance/world.ts";
import type { Setup } from "../support/setups.ts";

/** One process of an app with schedules. */
export interface Host extends BoundScheduler {
  /** What a drain of it does. */
  tick(): Promise<TickResult>;
  /** What its drains have spent. */
  readonly usage: Usage;
  /** Lines of warnings and errors. */
  readonly log: string[];
  /** The arguments of the jobs that its hooks were told of. */
  readonly told: unknown[];
}

export interface HostOptions extends CronOptions {
  /** What jobs of its class are like. */
  readonly definition?: AnyJobDefinition;
  /** This host's clock less Redis'. @default 0 */
  readonly skewMs?: number;
  readonly client?: RedisClient;
}

/** A world in which Redis' clock stands still until a test moves it. */
export interface ScheduleWorld extends World {
  /** Redis' clock. */
  nowMs: number;
  /** The world's client, at that time. */
  readonly timed: RedisClient;
  host(options: HostOptions): Host;
}

export const START_MS: number = Date.UTC(2026, 10, 20, 9);

export async function openScheduleWorld(kind: Setup): Promise<ScheduleWorld> {
  const world = await openWorld(kind);
  const clock = { nowMs: START_MS };
  const timed = timedClient(world.client, () => clock.nowMs);
  return {
    ...world,
    get nowMs() {
      return clock.nowMs;
    },
    set nowMs(ms) {
      clock.nowMs = ms;
    },
    timed,
    host({ skewMs = 0, client = timed, definition, ...options }) {
      const log: string[] = [];
      const told: unknown[] = [];
      const line = (message: string, fields?: Record<string, unknown>): void => {
        log.push(`${String(fields?.["schedule"] ?? "")}: ${message}`);
      };
      const logger: Logger = { debug: () => undefined, info: () => undefined, warn: line, error: line };
      const usage: Usage = { commands: 0, requests: 0 };
      const bound = cron(options).bind({
        client,
        keys: world.keys,
        logger,
        nowMs: () => clock.nowMs + skewMs,
        queueOf: (className) => (className === "Known" ? "known" : undefined),
        ...(definition && {
          // A hook of this app refuses jobs without arguments.
          encode: async (job: EnqueueRequest) => {
            const context = { keys: world.keys, bigIntegers: "bigint", nowMs: clock.nowMs } as const;
            return job.args?.length === 0 ? undefined : encodeKnown(job, definition, context);
          },
          onEnqueued: async (jobs: readonly EnqueueRequest[]) => told.push(...jobs.map(({ args }) => args)),
        }),
      });
      return { ...bound, usage, log, told, tick: () => bound.ticker(usage).tick() };
    },
  };
}

/** The same client, with the given time in the place of the server's. */
function timedClient(client: RedisClient, nowMs: () => number): RedisClient {
  return {
    ...client,
    description: client.description,
    pipeline: async (items, options) => {
      const replies: RedisReply[] = await client.pipeline(items, options);
      const time = [String(Math.floor(nowMs() / 1_000)), String((nowMs() % 1_000) * 1_000)];
      return replies.map((reply, index) => {
        const item = items[index];
        return item && !isScriptCall(item) && item[0] === "TIME" ? time : reply;
      });
    },
    command: (command, options) => client.command(command, options),
    transaction: (commands, options) => client.transaction(commands, options),
    script: (call, options) => client.script(call, options),
    close: async () => undefined,
  };
}
