import * as v from "valibot";
import { MARKUP, NO_MARKUP } from "./job-request.ts";
import { readInstant } from "./job-time.ts";

/** What the admin routes take. A message says what was expected and quotes nothing of what was sent. */
export type RequestSchema = v.GenericSchema<unknown, object>;

const text = (expected = "must be a text that is not empty") => v.pipe(v.string(expected), v.nonEmpty(expected));

const wholeRule = "must be a whole number, at least 0";
const digits = v.pipe(v.string(wholeRule), v.regex(/^\d{1,16}$/, wholeRule), v.transform(Number));
const limitRule = "must be a whole number from 1 to 1000";
const limit = v.pipe(v.string(limitRule), v.regex(/^([1-9]\d{0,2}|1000)$/, limitRule), v.transform(Number));

const instantRule = "must be a time such as 2026-11-20T18:00:00Z";
const instant = v.pipe(
  v.string(instantRule),
  v.check((value) => readInstant(value) !== undefined, instantRule),
  v.transform((value) => readInstant(value) as number),
);

const members = (entries: v.ObjectEntries) => {
  const names = Object.keys(entries);
  return v.strictObject(entries, ({ expected }) => {
    if (expected === "never") {
      return `is not known; ${names.length > 0 ? `expected ${names.join(", ")}` : "it takes nothing"}`;
    }
    return names.some((name) => expected === JSON.stringify(name)) ? "is required" : "must be an object";
  });
};

const ids = v.exactOptional(
  v.pipe(
    v.array(text(), "must be an array of ids"),
    v.minLength(1, "must not be empty"),
    v.maxLength(1_000, "must have at most 1000 ids"),
    v.description("Of entries that are alike one is meant"),
  ),
);
const all = v.exactOptional(v.literal(true, "must be true, or be left out"));

const filter = {
  class: v.exactOptional(v.pipe(text(), v.description("The class, whole"))),
  queue: v.exactOptional(v.pipe(text(), v.description("The queue, whole"))),
  error: v.exactOptional(v.pipe(text(), v.description("Part of `<exception>: <error>`, upper or lower case"))),
  since: v.exactOptional(v.pipe(instant, v.description("Failed at this time or later"))),
  until: v.exactOptional(v.pipe(instant, v.description("Failed before this time"))),
};
const list = v.exactOptional(v.pipe(text(), v.description("failed, or <queue>_failed")));

const flagRule = "must be true or false";
const flag = v.pipe(
  v.picklist(["true", "false"], flagRule),
  v.transform((value) => value === "true"),
);
const isFlag = v.exactOptional(v.boolean(flagRule));
const cursorRule = "must be the next of an answer";
const cursor = v.exactOptional(v.pipe(v.number(cursorRule), v.safeInteger(cursorRule), v.minValue(0, cursorRule)));
const failedSelection = { list, ids, all, ...filter, retried: isFlag, cursor };

/** `?offset=…&limit=…` */
export const PageQuery: RequestSchema = members({ offset: v.exactOptional(digits), limit: v.exactOptional(limit) });

/** The query of `GET /failed`. */
export const FailedQuery: RequestSchema = members({
  list,
  order: v.exactOptional(v.picklist(["newest", "oldest"], "must be newest or oldest")),
  cursor: v.exactOptional(v.pipe(digits, v.description("The next of the answer before"))),
  limit: v.exactOptional(limit),
  ...filter,
  retried: v.exactOptional(flag),
});

const argsRule = "must be an array";
const args = v.exactOptional(v.array(v.unknown(), argsRule));
const delayedSelection = { ids, class: filter.class, args, queue: filter.queue, at: v.exactOptional(instant) };

/** The body of `POST /queues/:queue/jobs/remove`. */
export const RemoveQueuedBody: RequestSchema = named("QueuedSelection", { ids, class: filter.class, args });
/** The body of `POST /workers/prune`. */
export const PruneBody: RequestSchema = named("WorkerToPrune", { id: text(), force: isFlag });
/** The body of `POST /failed/retry`. */
export const RetryFailedBody: RequestSchema = named("FailedRetry", {
  ...failedSelection,
  toQueue: v.exactOptional(
    v.pipe(
      text(),
      v.check((name) => !MARKUP.test(name), NO_MARKUP),
      v.description("Put them into this queue instead"),
    ),
  ),
});
/** The body of `POST /failed/remove`. */
export const RemoveFailedBody: RequestSchema = named("FailedSelection", failedSelection);
/** The body of `POST /retries/run` and `/retries/remove`. */
export const WaitingBody: RequestSchema = named("WaitingSelection", {
  ids,
  class: filter.class,
  queue: filter.queue,
  all,
});
/** The body of `POST /delayed/cancel`. */
export const CancelBody: RequestSchema = named("DelayedSelection", delayedSelection);
/** The body of `POST /delayed/reschedule`. */
export const RescheduleBody: RequestSchema = named("DelayedMove", { ...delayedSelection, to: instant });
/** The body of `POST /schedules`. */
export const SetScheduleBody: RequestSchema = named("ScheduleToSet", {
  name: text(),
  schedule: v.pipe(
    v.record(v.string(), v.unknown(), "must be an object"),
    v.check(
      (given) => ![given["class"], given["queue"]].some((name) => typeof name === "string" && MARKUP.test(name)),
      `${NO_MARKUP} in its class or queue`,
    ),
    v.description("As resque-scheduler has it: cron or every, class, args, queue, description"),
  ),
});
/** The body of `POST /schedules/remove`. */
export const RemoveScheduleBody: RequestSchema = named("ScheduleToRemove", { name: text() });
/** The body of `POST /pause` and `/resume`; an empty one means everything. */
export const PauseBody: RequestSchema = named("PauseTarget", { queue: filter.queue, class: filter.class });
/** The body of routes that need none. */
export const NoBody: RequestSchema = named("Nothing", {});

function named(ref: string, entries: v.ObjectEntries): RequestSchema {
  return v.pipe(members(entries), v.metadata({ ref }));
}
