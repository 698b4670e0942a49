import type { Redis } from "ioredis";
import { StoreError } from "../../src/core/errors.ts";
import type { JobStatus } from "../../src/core/job-status.ts";
import {
  type Airlift,
  type AirliftOptions,
  createAirlift,
  DrainError,
  type DrainReport,
  type JobDefinition,
} from "../../src/index.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { createKeys, type Keys } from "../../src/resque/keys.ts";
import { carriedClient, type Letter } from "./carried-client.ts";
import { idIn } from "./payload-forms.ts";

/**
 * What happens to one request of a drain. `crash`: it and all after it never arrive. `freeze`: it arrives, and the drain's lease has
 * ended, as if its process had slept.
 */
export type Mishap = "none" | "request-lost" | "request-late" | "reply-lost" | "crash" | "freeze";

/** How a job's handler behaves. */
export type Behaviour = "ok" | "at-once" | "throw" | "slow" | "never" | "flaky" | "doomed";

/** Attempts, and those of them that fail. A flaky job's third attempt succeeds, a doomed one's fails like the others. */
export const ATTEMPTS: Readonly<Record<Behaviour, { readonly attempts: number; readonly failures: number }>> = {
  ok: { attempts: 1, failures: 0 },
  "at-once": { attempts: 1, failures: 0 },
  slow: { attempts: 1, failures: 0 },
  throw: { attempts: 1, failures: 1 },
  never: { attempts: 1, failures: 1 },
  flaky: { attempts: 3, failures: 2 },
  doomed: { attempts: 3, failures: 3 },
};

export interface QueuedJob {
  readonly queue: string;
  readonly behaviour: Behaviour;
}

export interface DrainPlan {
  readonly concurrency: number;
  readonly queues: readonly string[];
  /** For its requests in order; none for the others. */
  readonly mishaps: readonly Mishap[];
  /** It starts when the others have sent so many requests, or have ended. */
  readonly startsAfter: number;
  /** A late request arrives when all have sent so many more. */
  readonly latency: number;
}

/** What all apps of a world have in common. */
export type DrainWorldOptions = Pick<AirliftOptions, "status" | "crashLimit" | "single">;

const statusId = (id: number): string => `job-${id}`;

/** How one drain went. */
export interface Ending {
  readonly report: DrainReport | undefined;
  /** Whether another may have taken its jobs while it thought that they were its own. */
  readonly isFaulty: boolean;
}

const FAILING: readonly Behaviour[] = ["throw", "never", "doomed"];
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Whole drains at once, over one Redis and an unreliable network, under a namespace of their own. */
export class DrainWorld {
  readonly #redis: Redis;
  readonly #client: RedisClient;
  readonly #keys: Keys;
  readonly #namespace: string;
  readonly #late: { readonly letter: Letter; readonly dueAt: number }[] = [];
  readonly #waiting: { readonly at: number; readonly start: () => void }[] = [];
  #sent = 0;
  readonly behaviours: Map<number, Behaviour> = new Map();
  /** Job → the drains that have run its last attempt. */
  readonly runs: Map<number, number[]> = new Map();

  readonly #options: DrainWorldOptions;

  constructor(redis: Redis, client: RedisClient, namespace: string, options: DrainWorldOptions = {}) {
    this.#redis = redis;
    this.#client = client;
    this.#namespace = namespace;
    this.#options = options;
    this.#keys = createKeys(namespace);
  }

  async enqueue(jobs: readonly QueuedJob[]): Promise<void> {
    const requests = jobs.map(({ queue, behaviour }, id) => {
      this.behaviours.set(id, behaviour);
      return { queue, class: behaviour, args: [`#${id}#`], ...(this.#options.status && { id: statusId(id) }) };
    });
    await this.#onlooker().enqueueAll(requests);
  }

  /** The statuses of all jobs, by number. */
  async statuses(): Promise<readonly (JobStatus | undefined)[]> {
    return this.#onlooker().jobs([...this.behaviours.keys()].map(statusId));
  }

  #onlooker(): Airlift {
    return createAirlift({
      ...{ redis: this.#client, namespace: this.#namespace, queues: ["a"], jobs: [] },
      ...this.#options,
    });
  }

  /** Runs the drains at once, each by its plan, to their ends. */
  async run(plans: readonly DrainPlan[]): Promise<Ending[]> {
    let running = plans.length;
    const endings = plans.map(async (plan, index) => {
      const start = Promise.withResolvers<void>();
      if (plan.startsAfter > 0 && index > 0) this.#waiting.push({ at: plan.startsAfter, start: start.resolve });
      else start.resolve();
      await start.promise;
      const ending = await this.#drain(plan, index);
      running--;
      for (const { start: startNow } of this.#waiting.splice(0)) startNow();
      return ending;
    });
    const ended = await Promise.all(endings);
    if (running !== 0) throw new Error("a drain is still running");
    for (const { letter } of this.#late.splice(0)) await deliverLate(letter);
    return ended;
  }

  /**
   * Every lease ends, and drains on a good network do what is left: a drain that finds nothing but a retry that is not due yet leaves it to the
   * next.
   */
  async finish(): Promise<DrainReport[]> {
    const { drains } = this.#keys;
    await this.#redis.del(this.#keys.single("default"));
    for (const member of await this.#redis.zrange(drains, 0, -1)) await this.#redis.zadd(drains, "XX", 1, member);
    const reports: DrainReport[] = [];
    for (;;) {
      const plan = { concurrency: 5, queues: ["a", "b"], mishaps: [], startsAfter: 0, latency: 0 };
      const { report } = await this.#drain(plan, -1);
      if (!report) throw new Error("the last drain has no report");
      reports.push(report);
      if (report.stopped !== "empty" || report.nextDueMs === undefined) return reports;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, (report.nextDueMs ?? 0) - Date.now())));
    }
  }

  /** Every key of this namespace that a Resque does not always have. */
  async traces(): Promise<string[]> {
    const usual = new Set([this.#keys.queues, this.#keys.processed, this.#keys.failures, this.#keys.failed]);
    const all = await this.#redis.keys(`${this.#namespace}:*`);
    return all.filter((key) => !usual.has(key) && !key.startsWith(this.#keys.job("")));
  }

  async counters(): Promise<{ processed: number; failures: number }> {
    const [processed, failures] = await this.#redis.mget(this.#keys.processed, this.#keys.failures);
    return { processed: Number(processed ?? 0), failures: Number(failures ?? 0) };
  }

  /** The jobs in the failed list, by number. */
  async failed(): Promise<number[]> {
    const entries = await this.#redis.lrange(this.#keys.failed, 0, -1);
    return entries.map((entry) => idIn(entry) ?? -1).sort((a, b) => a - b);
  }

  get failing(): number[] {
    return [...this.behaviours].filter(([, behaviour]) => FAILING.includes(behaviour)).map(([id]) => id);
  }

  async #drain(plan: DrainPlan, index: number): Promise<Ending> {
    const mishaps = [...plan.mishaps];
    const state = { isCrashed: false, isFaulty: false };
    const carry = async (letter: Letter): Promise<unknown> => {
      this.#sent++;
      await this.#arrive();
      const mishap = state.isCrashed ? "crash" : (mishaps.shift() ?? "none");
      if (mishap === "crash") {
        state.isCrashed = true;
        state.isFaulty = true;
        throw new StoreError("rejected", "this process is dead");
      }
      if (mishap === "request-late") this.#late.push({ letter, dueAt: this.#sent + plan.latency });
      if (mishap === "request-late" || mishap === "request-lost") throw new StoreError("unavailable", "lost");
      const reply = await letter.deliver();
      if (mishap === "reply-lost") throw new StoreError("unavailable", "lost");
      if (mishap === "freeze") state.isFaulty = (await this.#freeze(index)) || state.isFaulty;
      return reply;
    };
    const airlift = createAirlift({
      ...{ redis: carriedClient(this.#client, carry), namespace: this.#namespace, queues: plan.queues },
      ...{ concurrency: plan.concurrency, crashLimit: 1_000, platform: `d${index + 1}`, logger: silent },
      ...this.#options,
      jobs: this.#jobs(index),
    });
    try {
      return { report: await airlift.drain(), isFaulty: state.isFaulty };
    } catch (error) {
      if (!(error instanceof DrainError && state.isCrashed)) throw error;
      return { report: undefined, isFaulty: true };
    }
  }

  #jobs(index: number): JobDefinition[] {
    const note = (args: readonly unknown[]): void => {
      const id = idIn(String(args[0])) ?? -1;
      this.runs.set(id, [...(this.runs.get(id) ?? []), index]);
    };
    const job = (name: Behaviour, run: () => unknown, options: Partial<JobDefinition> = {}): JobDefinition => ({
      class: name,
      ...options,
      perform: (args, { raw }) => {
        const retries = Number(/"retries":(\d+)/.exec(raw)?.[1] ?? 0);
        if (retries + 1 < ATTEMPTS[name].attempts) throw new Error(`attempt ${retries + 1}`);
        note(args);
        return run();
      },
    });
    const retry = { limit: 2, backoff: [0, 3] };
    return [
      job("at-once", () => undefined),
      job("ok", () => Promise.resolve()),
      job("throw", () => Promise.reject(new Error("declined"))),
      job("slow", () => new Promise((resolve) => setTimeout(resolve, 4))),
      job("never", () => new Promise(() => undefined), { timeoutMs: 15 }),
      job("flaky", () => undefined, { retry }),
      job("doomed", () => Promise.reject(new Error("declined")), { retry }),
    ];
  }

  async #freeze(index: number): Promise<boolean> {
    const members = await this.#redis.zrange(this.#keys.drains, 0, -1);
    const own = members.filter((member) => member.includes(`"host":"airlift-d${index + 1}-`));
    for (const member of own) await this.#redis.zadd(this.#keys.drains, "XX", 1, member);
    const lease = this.#keys.single("default");
    const holder = await this.#redis.get(lease);
    if (holder !== null && own.some((member) => member.includes(`"id":"${holder}"`))) await this.#redis.del(lease);
    return own.length > 0;
  }

  async #arrive(): Promise<void> {
    for (const waiting of this.#waiting.filter(({ at }) => at <= this.#sent)) {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.start();
    }
    for (const late of this.#late.filter(({ dueAt }) => dueAt <= this.#sent)) {
      this.#late.splice(this.#late.indexOf(late), 1);
      await deliverLate(late.letter);
    }
  }
}

/** Nobody waits for the reply any more. */
async function deliverLate({ deliver }: Letter): Promise<void> {
  await deliver().catch(() => undefined);
}
