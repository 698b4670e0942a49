import type { DrainHost } from "../harness/drain-host.ts";
import type { DurableRedis } from "../harness/durable-redis.ts";
import type { PlannedFault } from "../harness/fault-plan.ts";
import type { FaultProxy } from "../harness/fault-proxy.ts";
import type { Random } from "../harness/random.ts";
import type { Tempo } from "./settings.ts";

/** What keeps drains from Redis: one at a time, with a rest. */
export const REDIS_LOCK = "redis";

interface Stage {
  readonly hosts: readonly DrainHost[];
  readonly redis: DurableRedis;
  readonly proxy: FaultProxy;
  readonly tempo: Tempo;
}

const wait = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));

/** Everything that is done to drains and to Redis as long as the soak goes on. */
export function soakFaults({ hosts, redis, proxy, tempo }: Stage): readonly PlannedFault[] {
  const { leaseMs, outageMs, shortFreezeMs, longFreezeMs, pace } = tempo;
  const every = (minMs: number, maxMs: number): readonly [number, number] => [minMs * pace, maxMs * pace];
  const outage = (name: string, everyMs: readonly [number, number], run: PlannedFault["run"]): PlannedFault => ({
    ...{ name, everyMs, run, lock: REDIS_LOCK, restMs: leaseMs / 2 },
  });
  /** A host whose process is at work. */
  const awake = (random: Random): DrainHost | undefined => {
    const up = hosts.filter(({ isUp, isFrozen }) => isUp && !isFrozen);
    return up.length === 0 ? undefined : random.pick(up);
  };
  const freeze = async (random: Random, durationMs: number, end: "thaw" | "kill" = "thaw"): Promise<void> => {
    const host = awake(random);
    if (!host || !(await host.freeze())) return;
    await wait(durationMs);
    if (end === "kill") await host.kill();
    else host.thaw();
  };
  const long = (random: Random): number => leaseMs + random.whole(...longFreezeMs);

  return [
    { name: "kill", everyMs: every(2_000, 6_000), run: async (random) => void (await awake(random)?.kill()) },
    { name: "freeze past the lease", everyMs: every(500, 3_000), run: (random) => freeze(random, long(random)) },
    {
      name: "freeze past the lease, and kill",
      everyMs: every(10_000, 20_000),
      run: (random) => freeze(random, long(random), "kill"),
    },
    {
      name: "short freeze",
      everyMs: every(2_000, 6_000),
      run: (random) => freeze(random, random.whole(...shortFreezeMs)),
    },
    { name: "script flush", everyMs: every(1_500, 5_000), run: () => redis.flushScripts() },
    outage("Redis restarted (TERM)", every(8_000, 20_000), () => redis.restart("SIGTERM")),
    outage("Redis restarted (KILL)", every(8_000, 20_000), () => redis.restart("SIGKILL")),
    outage("Redis full (OOM)", every(8_000, 20_000), async (random) => {
      await redis.fill();
      await wait(random.whole(...outageMs));
      await redis.makeRoom();
    }),
    outage("Redis standing still", every(8_000, 20_000), async (random) => {
      redis.freeze();
      await wait(random.whole(...outageMs));
      redis.thaw();
    }),
    outage("service says full", every(8_000, 20_000), (random) => proxy.outage("full", random.whole(...outageMs))),
    outage("service says 401", every(8_000, 20_000), (random) =>
      proxy.outage("unauthorized", random.whole(...outageMs)),
    ),
    outage("service says 502", every(8_000, 20_000), (random) => proxy.outage("status-502", random.whole(...outageMs))),
  ];
}
