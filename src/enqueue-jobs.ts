import type { EmitAppEvent } from "./core/app-event.ts";
import { UsageError } from "./core/errors.ts";
import type { AnyJobDefinition, JobDefinition } from "./core/job.ts";
import type { StatusOptions } from "./core/job-status.ts";
import type { BigIntegers } from "./core/json.ts";
import type { LoadHooks } from "./core/load-hooks.ts";
import type { Registry } from "./core/registry.ts";
import { encodeJob, encodeKnown } from "./encode-job.ts";
import type { RedisClient } from "./resque/client.ts";
import type { EncodedJob, EnqueueRequest } from "./resque/encoded-job.ts";
import { enqueueJobs } from "./resque/enqueue.ts";
import type { Keys } from "./resque/keys.ts";

/**
 * What became of a job that was to be enqueued.
 *
 * - `queued`: at the tail of its queue, which holds `length` jobs with it
 * - `delayed`: put into its queue at this time, in ms since the epoch, a whole second
 * - `replaced`: a unique job, in the place of the one that waited: in the queue, or until `at`
 * - `dropped`: not enqueued, as the same unique job is there, or as a `beforeEnqueue` hook refused it
 */
export type Enqueued =
  | { readonly kind: "queued"; readonly queue: string; readonly length: number; readonly id?: string }
  | { readonly kind: "delayed"; readonly queue: string; readonly at: number; readonly id?: string }
  | { readonly kind: "replaced"; readonly queue: string; readonly at?: number; readonly id?: string }
  | { readonly kind: "dropped"; readonly queue: string; readonly reason: "duplicate" | "refused" };

/** What became of a list of jobs; together the numbers are all of them. */
export interface EnqueuedAll {
  /** Put into their queues, or delayed. */
  readonly enqueued: number;
  readonly replaced: number;
  readonly dropped: number;
  /** The id of each job whose status is kept, in the order of the list; undefined for the others, and for those that were dropped. */
  readonly ids?: readonly (string | undefined)[];
}

/** A definition whose jobs are enqueued with these arguments. */
// biome-ignore lint/suspicious/noExplicitAny: what its handler takes, and from whom, does not matter to who enqueues
export type JobOfArgs<Args extends readonly unknown[]> = JobDefinition<any, Args, any, any>;

/** When a job may run; without either it may at once. */
export type When = Pick<EnqueueRequest, "at" | "inMs">;

export interface Enqueuer {
  /** A job as it is sent, for who sends it by other ways; undefined if a hook refuses it. It has no status, as nobody is told its id. */
  encode(job: EnqueueRequest): Promise<EncodedJob | undefined>;
  enqueue(job: EnqueueRequest | AnyJobDefinition, args?: readonly unknown[], when?: When): Promise<Enqueued>;
  enqueueAll(jobs: readonly EnqueueRequest[]): Promise<EnqueuedAll>;
}

export interface EnqueuerOptions {
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly registry: Registry;
  readonly loadHooks: LoadHooks;
  readonly bigIntegers: BigIntegers;
  /** Of all classes that say nothing of it themselves. */
  readonly status: StatusOptions | undefined;
  readonly nowMs: () => number;
  readonly emit: EmitAppEvent;
}

/** A job on its way; what it is like for hooks, and what is sent of it. */
interface Prepared {
  readonly queue: string;
  readonly class: string;
  readonly args?: readonly unknown[];
  readonly encoded: EncodedJob;
}

type StatusWriter = typeof import("./resque/job-status.ts").withStatus;

/** What became of each of some jobs, by their index. */
type Ends = (index: number) => Enqueued;

/**
 * Enqueues the jobs of an app. What a class's definition says, of its arguments and of which jobs are the same, holds for every job of
 * the class, also for one that is given by name.
 */
export function createEnqueuer(options: EnqueuerOptions): Enqueuer {
  const { redis, keys, registry, loadHooks, bigIntegers, nowMs } = options;
  /** Prepares all jobs before any is sent, so that a wrong one leaves everything as it was. */
  const send = async (jobs: readonly EnqueueRequest[], given?: AnyJobDefinition): Promise<Ends> => {
    const now = nowMs();
    const context = { keys, bigIntegers, nowMs: now };
    const prepared: Prepared[] = [];
    const keepStatus = createStatusKeeper(options, now);
    for (const [index, job] of jobs.entries()) {
      const definition = given ?? registry.find(job.class);
      try {
        // Without a promise for a class of which nothing is known: lists are long.
        const encoded = definition ? await encodeKnown(job, definition, context) : encodeJob(job, now);
        const kept = keepStatus(job, encoded, definition);
        prepared.push({ ...job, encoded: kept instanceof Promise ? await kept : kept });
      } catch (error) {
        throw error instanceof UsageError ? new UsageError(error.message, { cause: error, jobIndex: index }) : error;
      }
    }
    const hooks = await loadHooks(given);
    const allowed = hooks ? await hooks.beforeEnqueue(prepared, given) : prepared;
    const outcome = await enqueueJobs(
      redis,
      keys,
      allowed.map(({ encoded }) => encoded),
      { nowMs: now },
    );
    const [replaced, dropped] = [outcome.replaced.size, outcome.dropped.size];
    options.emit?.({
      ...{ kind: "jobs-enqueued", enqueued: allowed.length - replaced - dropped, replaced },
      dropped: dropped + prepared.length - allowed.length,
    });
    await hooks?.afterEnqueue(
      allowed.filter((_job, index) => !outcome.dropped.has(index)),
      given,
    );
    const indexes = allowed.length === prepared.length ? undefined : new Map(allowed.map((job, index) => [job, index]));
    return (index) => {
      const { queue, encoded } = prepared[index] as Prepared;
      const sent = indexes ? indexes.get(prepared[index] as Prepared) : index;
      if (sent === undefined) return { kind: "dropped", queue, reason: "refused" };
      if (outcome.dropped.has(sent)) return { kind: "dropped", queue, reason: "duplicate" };
      const place = outcome.replaced.get(sent);
      const { atSeconds } = place ?? encoded;
      const id = encoded.status && { id: encoded.status.id };
      if (place) return { kind: "replaced", queue, ...(atSeconds !== undefined && { at: atSeconds * 1_000 }), ...id };
      if (atSeconds !== undefined) return { kind: "delayed", queue, at: atSeconds * 1_000, ...id };
      return { kind: "queued", queue, length: outcome.lengths.get(keys.queue(queue)) as number, ...id };
    };
  };

  return {
    async encode(job) {
      const definition = registry.find(job.class);
      const now = nowMs();
      const encoded = definition
        ? await encodeKnown(job, definition, { keys, bigIntegers, nowMs: now })
        : encodeJob(job, now);
      const allowed = await (await loadHooks())?.beforeEnqueue([job]);
      return allowed?.length === 0 ? undefined : encoded;
    },

    async enqueue(job, args, when = {}) {
      checkJob("enqueue", job);
      const { queue } = job;
      if (queue === undefined || queue === "") {
        throw new UsageError(`enqueue: class ${JSON.stringify(job.class)} has no queue: give one in its definition`);
      }
      for (const [name, value] of Object.entries(when)) {
        // Not the same as no time at all: somebody has one in mind.
        if (value === undefined) throw new UsageError(`${name}: expected a time, got undefined (class ${job.class})`);
      }
      const isDefinition = "perform" in job;
      const request = isDefinition ? { queue, class: job.class, args: args ?? [] } : { ...job, queue };
      return (await send([{ ...request, ...when }], isDefinition ? job : undefined))(0);
    },

    async enqueueAll(jobs) {
      if (!Array.isArray(jobs)) throw new UsageError(`enqueueAll: expected an array of jobs, got ${show(jobs)}`);
      for (const [index, job] of jobs.entries()) checkJob(`enqueueAll: ${index}`, job);
      const endOf = await send(jobs);
      const counts = { queued: 0, delayed: 0, replaced: 0, dropped: 0 };
      const ids: (string | undefined)[] = [];
      for (let index = 0; index < jobs.length; index++) {
        const end = endOf(index);
        counts[end.kind]++;
        if ("id" in end) ids[index] = end.id;
      }
      const { queued, delayed, replaced, dropped } = counts;
      if (ids.length > 0) ids.length = jobs.length;
      return { enqueued: queued + delayed, replaced, dropped, ...(ids.length > 0 && { ids }) };
    },
  };
}

/** Other libraries take the class, or the queue, first. */
function checkJob(what: string, job: unknown): void {
  if (typeof job === "object" && job !== null) return;
  throw new UsageError(`${what}: expected { queue, class, args } or what defineJob returns, got ${show(job)}`);
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : value === null ? "null" : typeof value;
}

/** Gives the jobs of one list their ids, if their status is kept. A promise for the first one only: lists are long. */
function createStatusKeeper({ keys, status }: Pick<EnqueuerOptions, "keys" | "status">, nowMs: number) {
  const seen = new Set<string>();
  let withStatus: StatusWriter | undefined;
  return (
    { id, class: className }: EnqueueRequest,
    encoded: EncodedJob,
    definition: AnyJobDefinition | undefined,
  ): EncodedJob | Promise<EncodedJob> => {
    const kept = definition?.status ?? status;
    if (!kept) {
      if (id === undefined) return encoded;
      throw new UsageError(`id: expected none, as no status of the class ${JSON.stringify(className)} is kept`);
    }
    if (id !== undefined && seen.has(id)) throw new UsageError(`id: ${JSON.stringify(id)} is given to two jobs`);
    if (id !== undefined) seen.add(id);
    const given = { class: className, id, ttlMs: kept.ttlMs, nowMs };
    if (withStatus) return withStatus(keys, encoded, given);
    return import("./resque/job-status.ts").then((loaded) => {
      withStatus = loaded.withStatus;
      return withStatus(keys, encoded, given);
    });
  };
}
