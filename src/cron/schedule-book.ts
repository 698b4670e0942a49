import { UsageError } from "../core/errors.ts";
import { stringifyJson } from "../core/json.ts";
import type { Usage } from "../resque/client.ts";
import type { RubyScheduleConfig, ScheduleBook, ScheduleInfo } from "../resque/scheduler.ts";
import type { ScheduleStore } from "../resque/schedules.ts";
import { nextTick, startSchedule } from "./plan.ts";
import { parseRubySchedule, type RubyScheduleContext, readRubySchedule, written } from "./ruby-schedule.ts";
import type { Schedule } from "./schedule.ts";
import { encodeState, hashSpec, parseState } from "./schedule-state.ts";

export function createScheduleBook(
  store: ScheduleStore,
  schedules: readonly Schedule[],
  persistent: boolean,
  context: RubyScheduleContext,
): ScheduleBook {
  const usage: Usage = { commands: 0, requests: 0 };

  return {
    async list() {
      const read = await store.read({ names: [], persistent: true }, usage);
      const names = [...new Set([...schedules.map(({ name }) => name), ...read.persistent.keys()])].sort();
      const lastEnqueued = await store.readLastEnqueued(names, usage);
      const describe = (schedule: Schedule, state: ScheduleInfo["state"]): ScheduleInfo => {
        const { name, source, timetable, class: className, queue, description } = schedule;
        const nextMs = nextOf(schedule, read.states.get(name), read.timeMs, state);
        return compact({
          ...{ name, source, state, when: timetable.text, class: className, queue, description, nextMs },
          args: argsOf(schedule, nextMs ?? read.timeMs),
          lastEnqueuedMs: lastEnqueued.get(name),
        });
      };
      return names.flatMap((name) => {
        const json = read.persistent.get(name);
        const inRedis = json === undefined ? undefined : parseRubySchedule(name, json, context);
        const isReplaced = persistent && inRedis !== undefined && inRedis.kind !== "problem";
        const infos = schedules
          .filter((schedule) => schedule.name === name)
          .map((schedule) => describe(schedule, isReplaced ? "replaced" : "on"));
        if (inRedis?.kind === "schedule") {
          infos.push(describe(inRedis.schedule, read.isLedByRuby ? "ruby" : persistent ? "on" : "unread"));
        } else if (inRedis) {
          const state = inRedis.kind;
          infos.push(
            compact({
              ...{ name, source: "persistent" as const, state, ...shownOf(inRedis.config) },
              ...(inRedis.kind === "problem" ? { problem: inRedis.problem } : {}),
              lastEnqueuedMs: lastEnqueued.get(name),
            }),
          );
        }
        return infos;
      });
    },

    async set(name, { persist: _, ...config }) {
      if (typeof name !== "string" || name === "") throw new UsageError("schedule: name: expected a text, got none");
      // Wherever it is meant to run, it has to be one that can.
      const read = readRubySchedule(name, { ...config, rails_env: null, env: null }, context);
      if (read.kind === "problem") throw new UsageError(`schedule ${JSON.stringify(name)}: ${read.problem}`);
      if (read.kind !== "schedule") return;
      // Ruby takes the name for the class only in schedules that it is given at its start. For a queue it would ask the class, which may be
      // none of its own: its scheduler could not enqueue it then, and resque-web's page of schedules not be shown.
      const named = config.class === undefined ? { class: name, ...config } : config;
      const json = stringifyJson({ ...named, queue: read.schedule.queue });
      const { states, persistent: defined, timeMs } = await store.read({ names: [], persistent: true }, usage);
      // With the same ticks as before it goes on; otherwise it starts now, and not when a drain first sees it.
      const spec = parseState((defined.has(name) ? states.get(name) : undefined) ?? "")?.specs[0];
      const isSame = spec === hashSpec(read.schedule.spec);
      await store.define(name, json, isSame ? undefined : encodeState(startSchedule(read.schedule, timeMs)), usage);
    },

    remove: (name) => store.remove(name, usage),
  };
}

function nextOf(
  schedule: Schedule,
  text: string | undefined,
  nowMs: number,
  state: ScheduleInfo["state"],
): number | undefined {
  const { timetable, spec } = schedule;
  const seen = parseState(text ?? "");
  if (state === "on" && seen?.specs[0] === hashSpec(spec)) return nextTick(schedule, seen, nowMs);
  // By the calendar a tick needs no beginning.
  const isKnown = timetable.timezone !== undefined && (state === "on" || state === "ruby");
  return isKnown ? timetable.next(nowMs, nowMs) : undefined;
}

/** The app's own function may throw. */
function argsOf(schedule: Schedule, tickMs: number): readonly unknown[] | undefined {
  try {
    return schedule.argsAt(tickMs);
  } catch {
    return undefined;
  }
}

/** Of a schedule that is not run, what can be shown all the same. */
function shownOf(config: RubyScheduleConfig | undefined): Partial<ScheduleInfo> {
  const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  if (!config) return {};
  const { cron, every } = config;
  const when = cron !== undefined ? `cron ${written(cron)}` : `every ${written(every)}`;
  const shown = { class: text(config.class), queue: text(config.queue), description: text(config.description) };
  return compact(cron === undefined && every === undefined ? shown : { ...shown, when });
}

/** The same without what is undefined. */
function compact<T extends object>(info: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const given = Object.entries(info).filter(([, value]) => value !== undefined);
  // Members that are left out are optional in what is shown.
  return Object.fromEntries(given) as { [K in keyof T]: Exclude<T[K], undefined> };
}
