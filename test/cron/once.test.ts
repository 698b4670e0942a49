import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { StoreError } from "../../src/core/errors.ts";
import type { ScheduleOptions } from "../../src/cron/cron.ts";
import { readSchedule } from "../../src/cron/schedule.ts";
import { fatedClient } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";
import { type Host, openScheduleWorld, type ScheduleWorld, START_MS } from "./schedule-world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** What happens to a request of a drain. */
type Lot = "ok" | "lost" | "unanswered" | "twice";

/** Drains that look at the schedules at the same time, after a while. */
interface WakeUp {
  readonly afterMs: number;
  /** Which of the hosts, each with the lots of its requests. */
  readonly drains: readonly { readonly host: number; readonly lots: readonly Lot[] }[];
}

const intervals = fc.oneof(
  fc.record({
    cron: fc.constantFrom("*/7 * * * *", "30 2 * * *", "0 */3 * * *", "13,50 1-4 * * *", "20 */5 10 * * *"),
    timezone: fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"),
  }),
  fc.record({ everyMs: fc.integer({ min: MINUTE, max: 3 * HOUR }) }),
);
const lots = fc.array(fc.constantFrom<Lot>("ok", "ok", "ok", "lost", "unanswered", "twice"), { maxLength: 4 });
const wakeUps: fc.Arbitrary<readonly WakeUp[]> = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 6 * HOUR }),
    drains: fc.array(fc.record({ host: fc.nat({ max: 2 }), lots }), { minLength: 1, maxLength: 4 }),
  }),
  { minLength: 1, maxLength: 8 },
);
const days = fc.constantFrom(START_MS, Date.UTC(2026, 2, 28, 22), Date.UTC(2026, 9, 24, 22), Date.UTC(2026, 9, 3, 12));

describe.each(setups())("whenever drains look, and whatever becomes of their requests, over $name", (kind) => {
  let world: ScheduleWorld;
  beforeAll(async () => {
    world = await openScheduleWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  test("each tick is enqueued once", async () => {
    const run = async (
      policy: Pick<ScheduleOptions, "missed" | "maxMissed">,
      all: object[],
      wakes: readonly WakeUp[],
    ) => {
      const startMs = world.nowMs;
      const schedules = all.map((interval, n): ScheduleOptions => {
        const args = (tick: Date): readonly unknown[] => [tick.getTime()];
        return { name: `s${n}`, ...interval, ...policy, class: "A", queue: `q${n}`, args };
      });
      let lotsLeft: readonly Lot[] = [];
      const hosts = [-5 * MINUTE, 0, 7 * MINUTE].map((skewMs) => {
        const client = { ...world.timed };
        client.script = async (...call) => {
          const [lot = "ok", ...rest] = lotsLeft;
          lotsLeft = rest;
          const once = (fate: Parameters<typeof fatedClient>[1]) => fatedClient(world.timed, fate).script(...call);
          const error = new StoreError("unavailable", "no answer");
          if (lot === "twice") await once(() => "ok");
          if (lot === "lost") return once(() => ({ carriedOut: false, error }));
          return lot === "unanswered" ? once(() => ({ carriedOut: true, error })) : once(() => "ok");
        };
        return world.host({ schedules, skewMs, client });
      });
      /** As a drain does: again, if it had no answer. */
      const look = async (host: Host): Promise<void> => {
        for (let attempt = 1; ; attempt++) {
          const result = await host.tick().catch((error: unknown) => {
            if (attempt === 10) throw error;
            return undefined;
          });
          if (result) return;
        }
      };
      await look(hosts[1] as Host);
      for (const { afterMs, drains } of wakes) {
        world.nowMs += afterMs;
        lotsLeft = drains.flatMap((drain) => drain.lots);
        await Promise.all(drains.map(({ host }) => look(hosts[host] as Host)));
      }
      const enqueued = await Promise.all(
        schedules.map(async ({ queue }) =>
          (await world.queued(queue as string)).map((raw) => JSON.parse(raw).args[0] as number),
        ),
      );
      const expected = schedules.map((schedule) => {
        const { timetable } = readSchedule(schedule, { timezone: "UTC" });
        const ticks: number[] = [];
        let tick = timetable.next(startMs, startMs);
        for (; tick !== undefined && tick <= world.nowMs; tick = timetable.next(tick, startMs)) ticks.push(tick);
        return ticks;
      });
      return { enqueued, expected };
    };

    await fc.assert(
      fc.asyncProperty(fc.array(intervals, { minLength: 1, maxLength: 3 }), wakeUps, days, async (all, wakes, day) => {
        await world.flush();
        world.nowMs = day;
        const each = await run({ missed: "all", maxMissed: 1_000 }, all, wakes);
        expect(each.enqueued).toEqual(each.expected);

        await world.flush();
        world.nowMs = day;
        const one = await run({ missed: "one" }, all, wakes);
        for (const [n, ticks] of one.enqueued.entries()) {
          expect(ticks).toEqual(one.expected[n]?.filter((tick) => ticks.includes(tick)));
          // The last tick of all has always been enqueued.
          expect(ticks.at(-1)).toBe(one.expected[n]?.at(-1));
          expect(ticks.length).toBeLessThanOrEqual(wakes.length);
        }
      }),
      { numRuns: kind.server === "redis-server" ? 60 : 25 },
    );
  });
});
