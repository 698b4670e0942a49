import type { Schedule } from "./schedule.ts";
import { hashSpec, type ScheduleState } from "./schedule-state.ts";

/** What is to be done for a schedule at one instant. */
export type Plan =
  /** Nothing is due. */
  | { readonly kind: "wait"; readonly nextMs: number | undefined }
  /**
   * Nothing to enqueue, but something to remember: a schedule that is seen for the first time, or with other ticks than before, starts
   * now; of another, Ruby's scheduler has enqueued what was due.
   */
  | { readonly kind: "note"; readonly state: ScheduleState; readonly nextMs: number | undefined }
  | {
      readonly kind: "due";
      readonly state: ScheduleState;
      /** Those to enqueue, oldest first; none if all came to light too late. */
      readonly ticksMs: readonly number[];
      /** There were more than `maxMissed`: the oldest are dropped. */
      readonly isCut: boolean;
      readonly nextMs: number | undefined;
    };

/**
 * Decides what is due. Pure: the same state, instant and schedule give the same plan, so that of those who plan at the same time
 * one carries it out and the others find the state changed.
 *
 * @param state as Redis remembers it; undefined if the schedule was never seen
 * @param nowMs by Redis' clock
 * @param handledMs up to when another scheduler (Ruby's) has enqueued the schedule's ticks
 */
export function planSchedule(
  schedule: Schedule,
  state: ScheduleState | undefined,
  nowMs: number,
  handledMs: number = Number.NEGATIVE_INFINITY,
): Plan {
  const spec = hashSpec(schedule.spec);
  const others = state?.specs.filter((each) => each !== spec) ?? [];
  const specs = [spec, ...others];
  const isPersistent = schedule.source === "persistent";
  if (!state?.specs.includes(spec)) {
    const started = startSchedule(schedule, nowMs, others);
    return { kind: "note", state: started, nextMs: nextTick(schedule, started, nowMs) };
  }
  const nextMs = nextTick(schedule, state, nowMs);
  const startMs = Math.max(state.lastMs, handledMs);
  // Ticks that another definition of the schedule has left behind are made up for by one at most.
  const isOwn = state.specs[0] === spec;
  const isEach = isOwn && schedule.missed === "all";
  const most = isEach ? schedule.maxMissed : 1;
  const ticksMs: number[] = [];
  const newestMs = lastTick(schedule, state, nowMs);
  if (newestMs === undefined || newestMs <= state.lastMs) return { kind: "wait", nextMs };
  if (newestMs <= startMs) return { kind: "note", state: { lastMs: newestMs, specs, isPersistent }, nextMs };
  let tickMs: number | undefined = newestMs;
  while (tickMs !== undefined && tickMs > startMs && ticksMs.length < most) {
    ticksMs.unshift(tickMs);
    tickMs = lastTick(schedule, state, tickMs - 1);
  }
  return {
    kind: "due",
    state: { lastMs: newestMs, specs, isPersistent },
    ticksMs: ticksMs.filter((each) => nowMs - each <= schedule.lateMs),
    isCut: isEach && tickMs !== undefined && tickMs > startMs,
    nextMs,
  };
}

/** The state of a schedule that starts now. */
export function startSchedule(schedule: Schedule, nowMs: number, otherSpecs: readonly string[] = []): ScheduleState {
  const firstMs = schedule.firstMs(nowMs);
  return {
    lastMs: nowMs,
    ...(firstMs !== undefined && firstMs > nowMs ? { firstMs } : {}),
    specs: [hashSpec(schedule.spec), ...otherSpecs],
    isPersistent: schedule.source === "persistent",
  };
}

/** The first tick after an instant. */
export function nextTick(
  { timetable }: Schedule,
  { lastMs, firstMs }: ScheduleState,
  afterMs: number,
): number | undefined {
  if (firstMs === undefined) return timetable.next(afterMs, lastMs);
  return afterMs < firstMs ? firstMs : timetable.next(afterMs, firstMs);
}

function lastTick({ timetable }: Schedule, { lastMs, firstMs }: ScheduleState, untilMs: number): number | undefined {
  if (firstMs === undefined) return timetable.last(untilMs, lastMs);
  if (untilMs < firstMs) return undefined;
  return Math.max(firstMs, timetable.last(untilMs, firstMs) ?? firstMs);
}
