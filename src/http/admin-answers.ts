import * as v from "valibot";
import type { Airlift } from "../airlift.ts";

type PageItem<Method extends (...args: never[]) => Promise<object>, Name extends string> =
  Awaited<ReturnType<Method>> extends { readonly [name in Name]: readonly (infer Item)[] } ? Item : never;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const text = v.exactOptional(v.string());
const ms = v.pipe(v.number(), v.description("ms since the epoch"));
const summary = {
  class: text,
  args: v.exactOptional(v.array(v.unknown())),
  problem: v.exactOptional(v.pipe(v.string(), v.description("Why this is no job"))),
};
const stored = {
  id: v.pipe(v.string(), v.description("SHA-1 of the entry's bytes")),
  raw: v.pipe(v.string(), v.description("The entry's own text")),
  bytes: count,
  isAbridged: v.pipe(v.boolean(), v.description("Too large: raw has only the short members")),
};

const QueuedJob: v.GenericSchema<unknown, PageItem<Airlift["queues"]["peek"], "jobs">> = named("QueuedJob", {
  ...stored,
  ...summary,
  attempt: count,
});
const FailedJob: v.GenericSchema<unknown, PageItem<Airlift["failed"]["list"], "jobs">> = named("FailedJob", {
  ...stored,
  ...summary,
  ...{ queue: text, exception: text, error: text, backtrace: v.exactOptional(v.array(v.string())), worker: text },
  ...{ failedAt: text, failedAtMs: v.exactOptional(ms), retriedAt: text, retriedAtMs: v.exactOptional(ms) },
});
const WaitingJob: v.GenericSchema<unknown, PageItem<Airlift["retries"]["list"], "jobs">> = named("WaitingJob", {
  ...{ id: v.string(), dueMs: ms, queue: text, attempt: v.exactOptional(count) },
  ...{ failedAt: text, exception: text, error: text, raw: text, bytes: count },
  ...summary,
});
const DelayedJob: v.GenericSchema<unknown, PageItem<Airlift["delayed"]["list"], "jobs">> = named("DelayedJob", {
  ...{ id: v.string(), atMs: ms, queue: text, raw: v.string() },
  ...summary,
});
const CheckIn = named("CheckIn", {
  ...{ atMs: ms, message: text, done: v.exactOptional(v.number()), total: v.exactOptional(v.number()) },
});
const Worker: v.GenericSchema<unknown, PageItem<Airlift["workers"]["list"], "workers">> = named("Worker", {
  ...{ id: v.string(), host: v.string(), pid: v.exactOptional(count), slot: v.exactOptional(count) },
  ...{ queues: v.array(v.string()), isAirlift: v.boolean(), started: text, startedMs: v.exactOptional(ms) },
  ...{ heartbeatMs: v.exactOptional(ms), processed: count, failed: count },
  job: v.exactOptional(
    named("WorkingOn", {
      ...{ queue: text, runAt: text, runAtMs: v.exactOptional(ms), runningMs: v.exactOptional(v.number()) },
      checkin: v.exactOptional(CheckIn),
      ...summary,
    }),
  ),
});
const Drain: v.GenericSchema<unknown, PageItem<Airlift["workers"]["drains"], "drains">> = named("Drain", {
  ...{ id: v.string(), host: v.string(), pid: count, slots: count, queues: v.string() },
  ...{ leaseEndMs: ms, isAlive: v.boolean(), working: v.array(Worker) },
});
const Schedule: v.GenericSchema<unknown, Awaited<ReturnType<Airlift["schedules"]["list"]>>[number]> = named(
  "Schedule",
  {
    ...{ name: v.string(), source: v.picklist(["code", "persistent"]) },
    state: v.picklist(["on", "ruby", "unread", "elsewhere", "replaced", "problem"]),
    ...{ when: text, class: text, queue: text, args: summary.args, description: text, problem: text },
    ...{ nextMs: v.exactOptional(ms), lastEnqueuedMs: v.exactOptional(ms) },
  },
);
const Queue = named("Queue", { name: v.string(), size: count, paused: v.boolean() });
const missing = v.pipe(v.array(v.string()), v.description("The ids that were not found"));
const cursor = v.exactOptional(
  v.pipe(count, v.description("Not done within the time: send the request again with this as cursor")),
);
const changed = (ref: string, member: string) => named(ref, { [member]: count, missing });

/** What the admin routes answer, by the name that the schema has in the OpenAPI document. */
export const ANSWERS: Readonly<
  Record<
    | ("Queues" | "QueuedJobs" | "QueuedRemoved" | "Removed" | "Workers" | "Drains" | "WorkerPruned" | "FailedLists")
    | ("FailedJobs" | "FailedRetried" | "FailedRemoved" | "WaitingJobs" | "WaitingChanged" | "DelayedJobs")
    | ("DelayedCancelled" | "DelayedRescheduled" | "Schedules" | "ScheduleSet" | "ScheduleRemoved" | "Paused"),
    v.GenericSchema
  >
> = {
  Queues: page("Queues", "queues", Queue),
  QueuedJobs: page("QueuedJobs", "jobs", QueuedJob),
  QueuedRemoved: changed("QueuedRemoved", "removed"),
  Removed: named("Removed", { removed: count }),
  Workers: page("Workers", "workers", Worker),
  Drains: page("Drains", "drains", Drain),
  WorkerPruned: named("WorkerPruned", {
    pruned: v.boolean(),
    jobFailed: v.pipe(v.boolean(), v.description("The job that it held is in failed now")),
  }),
  FailedLists: named("FailedLists", { lists: v.array(named("FailedList", { name: v.string(), size: count })) }),
  FailedJobs: page("FailedJobs", "jobs", FailedJob),
  FailedRetried: named("FailedRetried", {
    ...{ retried: count, missing, refused: count },
    refusals: v.pipe(
      v.array(named("Refusal", { id: v.string(), reason: v.string() })),
      v.description("The first 100 of those refused: they hold no job, or name no queue"),
    ),
    next: cursor,
  }),
  FailedRemoved: named("FailedRemoved", { removed: count, missing, next: cursor }),
  WaitingJobs: page("WaitingJobs", "jobs", WaitingJob),
  WaitingChanged: changed("WaitingChanged", "changed"),
  DelayedJobs: named("DelayedJobs", { jobs: v.array(DelayedJob), next: v.exactOptional(count) }),
  DelayedCancelled: changed("DelayedCancelled", "cancelled"),
  DelayedRescheduled: changed("DelayedRescheduled", "rescheduled"),
  Schedules: named("Schedules", { schedules: v.array(Schedule) }),
  ScheduleSet: named("ScheduleSet", { name: v.string() }),
  ScheduleRemoved: named("ScheduleRemoved", { removed: v.boolean() }),
  Paused: named("Paused", { everything: v.boolean(), queues: v.array(v.string()), classes: v.array(v.string()) }),
};

function named<const Entries extends v.ObjectEntries>(ref: string, entries: Entries) {
  return v.pipe(v.object(entries), v.metadata({ ref }));
}

function page(ref: string, member: string, item: v.GenericSchema): v.GenericSchema {
  return named(ref, {
    total: v.pipe(count, v.description("All there are, whatever the page and the filter")),
    [member]: v.array(item),
    next: v.exactOptional(v.pipe(count, v.description("Where the next page starts; left out at the end"))),
  });
}
