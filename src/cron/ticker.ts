import { isStoreError } from "../core/errors.ts";
import { guardLogger } from "../core/guard-logger.ts";
import type { ScheduleTicker, TickedSchedule, TickResult } from "../core/scheduler.ts";
import type { Usage } from "../resque/client.ts";
import type { EncodedJob, EnqueueRequest } from "../resque/encoded-job.ts";
import type { SchedulerDeps } from "../resque/scheduler.ts";
import type { ScheduleHandling, ScheduleStore, SchedulesRead } from "../resque/schedules.ts";
import { type Plan, planSchedule } from "./plan.ts";
import type { RubySchedule } from "./ruby-schedule.ts";
import type { Schedule } from "./schedule.ts";
import { encodeState, parseState } from "./schedule-state.ts";

/** What the tickers of one app share. */
export interface TickerContext extends Pick<SchedulerDeps, "logger" | "nowMs" | "onEnqueued"> {
  readonly store: ScheduleStore;
  /** Those in code. */
  readonly schedules: readonly Schedule[];
  /** Those in Redis are run, too. */
  readonly persistent: boolean;
  readonly parse: (name: string, json: string) => RubySchedule;
  readonly encode: (job: EnqueueRequest) => Promise<EncodedJob | undefined>;
  readonly memory: TickerMemory;
}

/**
 * What one process remembers from drain to drain. It spares commands and log lines, and decides nothing: only the schedules' states in
 * Redis do.
 */
export interface TickerMemory {
  /** Until then nothing in code can come due: others only ever move a schedule's ticks ahead. */
  quiet: { readonly fromMs: number; readonly untilMs: number; readonly nextDueMs: number | undefined } | undefined;
  /** What has been warned of. */
  readonly warned: Set<string>;
}

/** However long nothing is due, Redis is asked again after this: its clock, or ours, may have been put right. */
const MAX_QUIET_MS = 600_000;
/** A drain that runs for long looks this often for persistent schedules that are new, or whether an error is over. */
const LOOK_AGAIN_MS = 60_000;

/** A schedule with what is to be done for it. */
interface Planned {
  readonly schedule: Schedule;
  readonly before: string | undefined;
  readonly plan: Plan;
}
/** What Redis is asked to do for a schedule. */
interface Work {
  readonly planned: Planned;
  readonly handling: ScheduleHandling;
  /** The same jobs as the app knows them. */
  readonly requests: readonly EnqueueRequest[];
}
type Due = Extract<Plan, { kind: "due" }>;
interface Handled {
  readonly ticked: readonly TickedSchedule[];
  /** Nothing was refused, or lost to somebody else. */
  readonly isSettled: boolean;
}
const NOTHING: TickResult = { ticked: [], enqueued: 0, nextDueMs: undefined, againMs: undefined };

export function createTicker(context: TickerContext, usage: Usage): ScheduleTicker {
  const { store, schedules, persistent, nowMs, memory, parse, encode } = context;
  const logger = guardLogger(context.logger);
  const warnOnce = (key: string, message: string, fields: Record<string, unknown>): void => {
    if (memory.warned.has(key)) return;
    memory.warned.add(key);
    logger.warn(message, fields);
  };

  /** The schedules that are ours to run: of two with the same name the persistent one, as in Ruby. */
  const inForce = (read: SchedulesRead): Schedule[] => {
    const byName = new Map(schedules.map((schedule) => [schedule.name, schedule]));
    for (const [name, json] of read.persistent) {
      const parsed = parse(name, json);
      if (parsed.kind === "problem") {
        warnOnce(`${name} ${json}`, `a schedule in Redis is left alone: ${parsed.problem}`, { schedule: name });
      } else if (parsed.kind === "elsewhere" || read.isLedByRuby) byName.delete(name);
      else byName.set(name, parsed.schedule);
    }
    return [...byName.values()];
  };

  const planAll = async (read: SchedulesRead): Promise<Planned[]> => {
    const plan = (schedule: Schedule, handledMs?: number): Planned => {
      const before = read.states.get(schedule.name);
      const state = before === undefined ? undefined : parseState(before);
      return { schedule, before, plan: planSchedule(schedule, state, read.timeMs, handledMs) };
    };
    const planned = inForce(read).map((schedule) => plan(schedule));
    const isShared = (each: Planned): boolean => each.schedule.source === "persistent" && each.plan.kind === "due";
    // What Ruby's scheduler has enqueued while it led is not missed.
    const names = planned.filter(isShared).map(({ schedule }) => schedule.name);
    const handled = await store.readLastEnqueued(names, usage);
    return planned.map((each) => (isShared(each) ? plan(each.schedule, handled.get(each.schedule.name)) : each));
  };

  const toWork = async (planned: Planned): Promise<Work | undefined> => {
    const { schedule, before, plan } = planned;
    if (plan.kind === "wait") return undefined;
    const { name, queue = "", source, class: className } = schedule;
    const requests: EnqueueRequest[] = [];
    const jobs: EncodedJob[] = [];
    try {
      for (const tickMs of plan.kind === "due" ? plan.ticksMs : []) {
        const request = { queue, class: className, args: schedule.argsAt(tickMs) };
        const job = await encode(request);
        if (!job) continue;
        requests.push(request);
        jobs.push(job);
      }
    } catch (error) {
      // The app's own function or schema. Its ticks are missed ones until it is right.
      logger.error(`a schedule's job cannot be made: ${(error as Error).message}`, { schedule: name });
      return undefined;
    }
    const isPersistent = source === "persistent";
    return { planned, requests, handling: { name, before, after: encodeState(plan.state), isPersistent, queue, jobs } };
  };

  const tell = (
    { name, class: className, queue = "", maxMissed }: Schedule,
    plan: Due,
    jobs: number,
  ): TickedSchedule => {
    const fields = { schedule: name };
    if (plan.ticksMs.length === 0) logger.warn("a schedule's tick came to light too late and is dropped", fields);
    if (plan.isCut) logger.warn(`a schedule missed more than ${maxMissed} ticks; the oldest are dropped`, fields);
    return { name, class: className, queue, jobs, tickMs: plan.state.lastMs };
  };

  /** What is remembered of schedules that somebody has removed from Redis. */
  const toForget = ({ states, persistent: defined }: SchedulesRead): ScheduleHandling[] => {
    if (!persistent) return [];
    const names = new Set([...schedules.map(({ name }) => name), ...defined.keys()]);
    return [...states].flatMap(([name, before]) =>
      names.has(name) || !parseState(before)?.isPersistent
        ? []
        : [{ name, before, after: undefined, isPersistent: false, queue: "", jobs: [] }],
    );
  };

  const handle = async (planned: readonly Planned[], read: SchedulesRead): Promise<Handled> => {
    const work: Work[] = [];
    for (const each of planned) {
      const itsWork = await toWork(each);
      if (itsWork) work.push(itsWork);
    }
    const handlings = [...work.map(({ handling }) => handling), ...toForget(read)];
    const results = handlings.length === 0 ? [] : await store.handle(handlings, read.timeMs, usage);
    const enqueued: EnqueueRequest[] = [];
    const ticked = work.flatMap(({ planned: { schedule, plan }, requests }, index) => {
      const result = results[index];
      if (result?.kind === "refused") {
        const { name, queue } = schedule;
        logger.error(`Redis refuses the jobs of a schedule: ${result.reason}`, { schedule: name, queue });
      }
      if (result?.kind !== "done" || plan.kind !== "due") return [];
      enqueued.push(...requests.filter((_request, number) => !result.dropped.has(number)));
      return [tell(schedule, plan, requests.length - result.dropped.size)];
    });
    if (enqueued.length > 0) await context.onEnqueued?.(enqueued);
    const pending = planned.filter(({ plan }) => plan.kind !== "wait").length;
    return { ticked, isSettled: work.length === pending && results.every(({ kind }) => kind === "done") };
  };

  const look = async (): Promise<TickResult> => {
    const sentAtMs = nowMs();
    const read = await store.read({ names: schedules.map(({ name }) => name), persistent }, usage);
    // Counted from the reply, an instant of Redis' clock is never taken for one that has come before it has.
    const aheadMs = nowMs() - read.timeMs;
    const planned = await planAll(read);
    const { ticked, isSettled } = await handle(planned, read);
    const nextMs = Math.min(...planned.map(({ plan }) => plan.nextMs ?? Number.POSITIVE_INFINITY));
    const nextDueMs = Number.isFinite(nextMs) ? nextMs + aheadMs : undefined;
    const againMs = persistent ? Math.min(nextDueMs ?? Number.POSITIVE_INFINITY, nowMs() + LOOK_AGAIN_MS) : nextDueMs;
    const untilMs = Math.min(nextDueMs ?? Number.POSITIVE_INFINITY, sentAtMs + MAX_QUIET_MS);
    memory.quiet = persistent || !isSettled ? undefined : { fromMs: sentAtMs, untilMs, nextDueMs };
    return { ticked, enqueued: ticked.reduce((sum, { jobs }) => sum + jobs, 0), nextDueMs, againMs };
  };

  return {
    async tick() {
      const { quiet } = memory;
      const isQuiet = quiet && nowMs() >= quiet.fromMs && nowMs() < quiet.untilMs;
      if (isQuiet) return { ...NOTHING, nextDueMs: quiet.nextDueMs, againMs: quiet.nextDueMs };
      if (schedules.length === 0 && !persistent) return NOTHING;
      try {
        return await look();
      } catch (error) {
        if (!isStoreError(error) || error.retryable) throw error;
        logger.error(`the schedules cannot be looked at: ${error.message}`);
        return { ...NOTHING, againMs: nowMs() + LOOK_AGAIN_MS };
      }
    },
  };
}
