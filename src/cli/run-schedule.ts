import type { Airlift } from "../airlift.ts";
import { UsageError } from "../core/errors.ts";
import { formatJobText, formatTime } from "./job-text.ts";
import { createLineLogger } from "./line-logger.ts";
import { openApp } from "./open-app.ts";
import { openRedis } from "./open-redis.ts";
import { formatCount } from "./report-text.ts";
import { reportMissing, type ShowOptions, show } from "./show.ts";
import { type Column, formatTable } from "./table.ts";

/** Options of `airlift schedule list`. */
export interface ScheduleListOptions extends ShowOptions {
  readonly app?: string;
}

/** Options of `airlift schedule set`. */
export interface ScheduleSetOptions extends ShowOptions {
  readonly cron?: string;
  readonly every?: string;
  readonly class: string;
  readonly queue: string;
  readonly args?: readonly unknown[];
  readonly description?: string;
}

type Schedule = Awaited<ReturnType<Airlift["schedules"]["list"]>>[number];

const STATES: Readonly<Record<Schedule["state"], string>> = {
  on: "on",
  ruby: "by resque-scheduler",
  unread: "this app does not run those in Redis",
  elsewhere: "for other environments",
  replaced: "one in Redis has its name",
  problem: "cannot be run",
};

const COLUMNS: readonly Column<Schedule>[] = [
  { title: "NAME", cell: ({ name }) => name },
  { title: "IN", cell: ({ source }) => (source === "code" ? "code" : "Redis") },
  { title: "WHEN", cell: ({ when }) => when },
  { title: "NEXT", cell: ({ nextMs }) => formatTime(nextMs) },
  { title: "LAST", cell: ({ lastEnqueuedMs }) => formatTime(lastEnqueuedMs) },
  { title: "QUEUE", cell: ({ queue }) => queue },
  { title: "JOB", cell: (schedule) => (schedule.class === undefined ? "" : formatJobText(jobOf(schedule))) },
  {
    title: "STATE",
    cell: ({ state, problem }) => (problem === undefined ? STATES[state] : `${STATES[state]}: ${problem}`),
  },
];

/** Those in Redis can be looked at and changed without the app that runs them. */
async function openSchedules(options: ShowOptions): Promise<Airlift> {
  const { cron } = await import("../cron/cron.ts");
  return openRedis(options, { scheduler: cron({ persistent: true }) });
}

function jobOf({ class: className = "", args }: Schedule) {
  return { class: className, ...(args && { args }) };
}

/** Prints the schedules. */
export async function runScheduleList({ app, ...options }: ScheduleListOptions): Promise<void> {
  const format = ({ schedules }: { readonly schedules: readonly Schedule[] }): string =>
    schedules.length > 0
      ? `${formatTable(COLUMNS, schedules)}\n\n${formatCount(schedules.length, "schedule")}`
      : "no schedules";
  const logger = createLineLogger({ write: (line) => process.stderr.write(`${line}\n`) });
  const open = (): Promise<Airlift> =>
    app === undefined ? openSchedules(options) : openApp({ ...options, app }, logger);
  await show(options, async (airlift) => ({ schedules: await airlift.schedules.list() }), format, open);
}

/** Writes a schedule. */
export async function runScheduleSet(name: string, options: ScheduleSetOptions): Promise<void> {
  const { cron, every, class: className, queue, args = [], description } = options;
  if ((cron === undefined) === (every === undefined)) {
    throw new UsageError(`schedule set: expected --cron or --every, got ${cron === undefined ? "neither" : "both"}`);
  }
  const config = {
    ...(cron !== undefined && { cron }),
    ...(every !== undefined && { every }),
    ...{ class: className, queue, args },
    ...(description !== undefined && { description }),
  };
  const work = async (airlift: Airlift): Promise<{ readonly name: string }> => {
    await airlift.schedules.set(name, config);
    return { name };
  };
  await show(
    options,
    work,
    () => `set ${name}`,
    () => openSchedules(options),
  );
}

/** Removes a schedule. */
export async function runScheduleRemove(name: string, options: ShowOptions): Promise<void> {
  const work = async (airlift: Airlift) => ({ removed: await airlift.schedules.remove(name) });
  const { removed } = await show(
    options,
    work,
    (result) => (result.removed ? `removed ${name}` : "nothing was removed"),
    () => openSchedules(options),
  );
  reportMissing("schedule", removed ? [] : [name]);
}
