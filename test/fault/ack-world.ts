import { expect } from "vitest";
import { StoreError } from "../../src/core/errors.ts";
import type { JobAck } from "../../src/core/job-ack.ts";
import type { DetachedOutcome, Outcome } from "../../src/core/outcome.ts";
import { createRegistry } from "../../src/core/registry.ts";
import type { Claim, Detached, Settlement } from "../../src/core/store.ts";
import { countsAttempt, countsFailure } from "../../src/core/tally.ts";
import { createAckStore } from "../../src/resque/ack.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { readOwn } from "../../src/resque/payload.ts";
import { slots, type TestDrain, type World } from "../conformance/world.ts";
import { carriedClient, type Letter } from "./carried-client.ts";

export type Fate = "delivered" | "request-lost" | "reply-lost";
export const OUTCOMES = ["ok", "discarded", "failed", "dropped", "retrying", "postponed", "released"] as const;
export type Ending = (typeof OUTCOMES)[number];

export type Step =
  | { readonly kind: "push"; readonly count: number }
  | { readonly kind: "claim"; readonly drain: number; readonly count: number }
  /** A drain hands its jobs over; if it dies then, nobody is told of them. */
  | { readonly kind: "detach"; readonly drain: number; readonly fate: Fate; readonly dies: boolean }
  | { readonly kind: "settle"; readonly drain: number; readonly ending: Ending }
  /** A receiver that was told of a job ends it: for the first time, again, or long after its lease. */
  | { readonly kind: "acknowledge"; readonly job: number; readonly ending: Ending; readonly fate: Fate }
  /** A request of before arrives once more, or at last. */
  | { readonly kind: "duplicate"; readonly ago: number }
  | { readonly kind: "lease-ends"; readonly job: number }
  | { readonly kind: "promote" }
  | { readonly kind: "crash"; readonly drain: number }
  | { readonly kind: "recover" };

export const DRAINS = 2;
const SLOTS = 3;
const CRASH_LIMIT = 3;
const failure = { exception: "E", message: "m", backtrace: [] };

type Place = "queue" | "slot" | "waiting" | "failed" | "done";
interface Model {
  place: Place;
  crashes: number;
  retries: number;
}

/** Jobs that are detached and acknowledged on an unreliable network, and what must have become of each, counted request by request. */
export class AckWorld {
  readonly #world: World;
  readonly #client: RedisClient;
  readonly #jobs: Model[] = [];
  readonly #drains: (TestDrain | undefined)[] = [];
  readonly #claims = new Map<TestDrain, Claim[]>();
  readonly #seqs = new Map<TestDrain, number>();
  /** What receivers were told. */
  readonly #inbox: Detached[] = [];
  readonly #letters: Letter[] = [];
  /** What the reply to the request that is under way says of jobs. */
  #take: (reply: unknown) => void = () => undefined;
  #fate: Fate = "delivered";
  #processed = 0;
  #failures = 0;

  constructor(world: World) {
    this.#world = world;
    this.#client = carriedClient(world.client, async (letter) => {
      const take = this.#take;
      const sent: Letter = {
        names: letter.names,
        deliver: async () => {
          const reply = await letter.deliver();
          take(reply);
          return reply;
        },
      };
      if (letter.names[0] === "ack-job") this.#letters.push(sent);
      const fate = this.#fate;
      this.#fate = "delivered";
      const reply = fate === "request-lost" ? undefined : await sent.deliver();
      if (fate !== "delivered") throw new StoreError("unavailable", fate);
      return reply;
    });
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      await this.#step(step);
      await this.check();
    }
  }

  /** Lets time pass until every job has come to its end. */
  async finish(): Promise<void> {
    this.#drains.fill(undefined);
    await this.#recover();
    for (let round = 0; round <= CRASH_LIMIT + 1; round++) {
      await this.#endLeases(() => true);
      await this.#promote();
      const drain = await this.#claim(0, SLOTS);
      while (this.#claimsOf(drain).length > 0) {
        await this.#settle(drain, "ok");
        await this.#claim(0, SLOTS);
      }
      await drain.store.close();
      this.#drains[0] = undefined;
      await this.check();
    }
    expect(this.#jobs.filter(({ place }) => place !== "done" && place !== "failed")).toEqual([]);
  }

  async check(): Promise<void> {
    const { keys } = this.#world;
    const everything = await this.#world.everything();
    const places = new Map<number, [Place, string]>();
    const find = (place: Place, raw: string): void => {
      const id = Number(/"#(\d+)#"/.exec(raw)?.[1]);
      if (places.has(id)) throw new Error(`job ${id} is in two places, ${place} and ${places.get(id)?.[0]}`);
      places.set(id, [place, raw]);
    };
    for (const raw of (everything[keys.queue("q")] ?? []) as string[]) find("queue", raw);
    for (const entry of (everything[keys.failed] ?? []) as string[]) {
      find("failed", /"payload":(.*),"exception"/s.exec(entry)?.[1] ?? "");
    }
    for (const member of Object.keys((everything[keys.retries] ?? {}) as object)) {
      find("waiting", /,"payload":(.*)\}$/s.exec(member)?.[1] ?? "");
    }
    for (const [key, entry] of Object.entries(everything)) {
      if (key.includes(":worker:") && typeof entry === "string" && entry.startsWith('{"claim"'))
        find("slot", /"payload":(.*)\}$/s.exec(entry)?.[1] ?? "");
    }
    for (const [id, job] of this.#jobs.entries()) {
      const [place, raw] = places.get(id) ?? ["done", ""];
      expect([id, place]).toEqual([id, job.place]);
      if (place === "done") continue;
      expect(raw.startsWith(`{"class":"Job","args":["#${id}#",1.0]`)).toBe(true);
      const { crashes = 0, retries = 0 } = readOwn(raw);
      expect({ id, crashes, retries }).toEqual({ id, crashes: job.crashes, retries: job.retries });
    }
    expect(Number(everything[keys.processed] ?? 0)).toBe(this.#processed);
    expect(Number(everything[keys.failures] ?? 0)).toBe(this.#failures);
  }

  async #step(step: Step): Promise<void> {
    switch (step.kind) {
      case "push":
        for (let i = 0; i < step.count; i++) {
          const id = this.#jobs.push({ place: "queue", crashes: 0, retries: 0 }) - 1;
          await this.#world.push("q", `{"class":"Job","args":["#${id}#",1.0]}`);
        }
        return;
      case "claim":
        await this.#claim(step.drain, step.count);
        return;
      case "detach": {
        const drain = this.#drains[step.drain];
        if (drain) await this.#detach(drain, step);
        return;
      }
      case "settle": {
        const drain = this.#drains[step.drain];
        if (drain) await this.#settle(drain, step.ending);
        return;
      }
      case "acknowledge": {
        const told = this.#inbox.at(-1 - (step.job % Math.max(1, this.#inbox.length)));
        if (told) await this.#acknowledge(told, step);
        return;
      }
      case "duplicate":
        await this.#letters.at(-1 - step.ago)?.deliver();
        return;
      case "lease-ends":
        return this.#endLeases((_member, index, { length }) => index === step.job % length);
      case "promote":
        return this.#promote();
      case "crash":
        this.#drains[step.drain] = undefined;
        return;
      case "recover":
        return this.#recover();
    }
  }

  async #claim(index: number, count: number): Promise<TestDrain> {
    const registry = createRegistry([{ class: "Job", perform: () => undefined }]);
    const drain =
      this.#drains[index] ??
      this.#world.drain({ slots: SLOTS, registry, crashLimit: CRASH_LIMIT, nowMs: Date.now, client: this.#client });
    this.#drains[index] = drain;
    const held = this.#claimsOf(drain);
    const free = slots(SLOTS).filter((slot) => !held.some((claim) => claim.slot === slot));
    const { claims } = await drain.store.exchange({
      seq: this.#seq(drain),
      attempt: 1,
      settle: [],
      fill: free.slice(0, count),
    });
    for (const claim of claims) this.#job(claim).place = "slot";
    held.push(...claims);
    // A job that is not to be run any more fails at once, as in a drain.
    const refused = held.filter(({ job }) => job.kind === "job" && job.refusal);
    for (const claim of claims) expect(refused.includes(claim)).toBe(this.#job(claim).crashes >= CRASH_LIMIT);
    if (refused.length > 0)
      await this.#exchange(
        drain,
        refused.map((claim) => ({ claim, outcome: outcomeOf("failed") })),
      );
    return drain;
  }

  async #detach(drain: TestDrain, { fate, dies }: Extract<Step, { kind: "detach" }>): Promise<void> {
    const detached: DetachedOutcome = { kind: "detached", afterMs: 3_600_000, dispatch: async () => undefined };
    const settle = this.#claimsOf(drain).map((claim) => ({ claim, outcome: detached }));
    const told = await this.#exchange(drain, settle, fate);
    if (dies) this.#drains[this.#drains.indexOf(drain)] = undefined;
    else this.#inbox.push(...told);
  }

  async #settle(drain: TestDrain, ending: Ending): Promise<void> {
    await this.#exchange(
      drain,
      this.#claimsOf(drain).map((claim) => ({ claim, outcome: outcomeOf(ending) })),
    );
  }

  /** Settles, again if an answer is lost, and notes what took effect. */
  async #exchange(
    drain: TestDrain,
    settle: readonly Settlement[],
    fate: Fate = "delivered",
  ): Promise<readonly Detached[]> {
    if (settle.length === 0) return [];
    const seq = this.#seq(drain);
    this.#take = (reply) => {
      const lost = (reply as unknown[])[4] as number[];
      // The script numbers the settlements in the order in which they were sent: none of their slots is filled.
      for (const [index, { claim, outcome }] of settle.entries()) {
        if (!lost.includes(index + 1)) this.#note(this.#job(claim), outcome);
      }
    };
    this.#fate = fate;
    const params = { seq, settle, fill: [] };
    const result = await drain.store
      .exchange({ ...params, attempt: 1 })
      .catch(() => drain.store.exchange({ ...params, attempt: 2 }));
    this.#take = () => undefined;
    this.#claims.set(
      drain,
      this.#claimsOf(drain).filter((claim) => !settle.some((settlement) => settlement.claim === claim)),
    );
    return result.detached ?? [];
  }

  async #acknowledge(
    { ack, settlement }: Detached,
    { ending, fate }: Extract<Step, { kind: "acknowledge" }>,
  ): Promise<void> {
    const { claim } = settlement;
    const job = this.#job(claim);
    const outcome = outcomeOf(ending);
    const { keys } = this.#world;
    const acks = createAckStore({ client: this.#client, keys, registry: createRegistry([]), nowMs: Date.now });
    // What the reply says counts when the request arrives, whoever hears of it.
    const own = readOwn(claim.job.raw);
    this.#take = (reply) => {
      if ((reply as number[])[1] === 1) this.#note(Object.assign(job, { crashes: own.crashes ?? 0 }), outcome);
    };
    this.#fate = fate;
    const given = {
      ack: JSON.parse(JSON.stringify(ack)) as JobAck,
      queue: claim.queue,
      job: claim.job,
      outcome,
      worker: "w",
    };
    const before = job.place;
    const isSettled = await acks.settle(given).catch((error: unknown) => expect(error).toBeInstanceOf(StoreError));
    this.#take = () => undefined;
    if (isSettled === false) expect(job.place).toBe(before);
  }

  /** A settlement has taken effect. */
  #note(job: Model, outcome: Outcome): void {
    if (countsAttempt(outcome)) this.#processed++;
    if (countsFailure(outcome)) this.#failures++;
    const places: Partial<Record<Outcome["kind"], Place>> = {
      ...{ ok: "done", discarded: "done", dropped: "done", failed: "failed" },
      ...{ retrying: "waiting", postponed: "waiting", detached: "waiting", released: "queue" },
    };
    job.place = places[outcome.kind] as Place;
    if (outcome.kind === "retrying") job.retries++;
    if (outcome.kind === "detached") job.crashes++;
    if (outcome.kind === "failed") Object.assign(job, { crashes: 0, retries: 0 });
  }

  async #endLeases(of: (member: string, index: number, all: readonly string[]) => boolean): Promise<void> {
    const { keys } = this.#world;
    const waiting = Object.keys(((await this.#world.everything())[keys.retries] ?? {}) as object);
    for (const member of waiting.filter(of)) await this.#world.send(["ZADD", keys.retries, 1, member]);
  }

  async #promote(): Promise<void> {
    const { keys } = this.#world;
    const waiting = Object.entries(((await this.#world.everything())[keys.retries] ?? {}) as Record<string, string>);
    for (const [member, due] of waiting) {
      const id = Number(/"#(\d+)#"/.exec(member)?.[1]);
      if (due === "1") (this.#jobs[id] as Model).place = "queue";
    }
    const { store } = this.#world.drain({ nowMs: Date.now });
    await store.survey();
    await store.promote();
  }

  /** Takes back the jobs of the drains that died; those that live keep theirs. */
  async #recover(): Promise<void> {
    const { keys } = this.#world;
    const living = this.#drains.flatMap((drain) => (drain ? [drain.member] : []));
    const known = Object.keys(((await this.#world.everything())[keys.drains] ?? {}) as object);
    for (const member of known) if (!living.includes(member)) await this.#world.send(["ZADD", keys.drains, 1, member]);
    const dead = [...this.#claims].filter(([drain]) => !living.includes(drain.member));
    for (const [drain, claims] of dead) {
      for (const claim of claims) {
        const job = this.#job(claim);
        job.crashes++;
        job.place = "queue";
        if (job.crashes >= CRASH_LIMIT) this.#note(job, outcomeOf("failed"));
      }
      this.#claims.delete(drain);
    }
    const { store } = this.#world.drain({ nowMs: Date.now, crashLimit: CRASH_LIMIT });
    for (const each of (await store.survey()).dead) await store.recover(each);
  }

  #claimsOf(drain: TestDrain): Claim[] {
    const claims = this.#claims.get(drain) ?? [];
    this.#claims.set(drain, claims);
    return claims;
  }

  #seq(drain: TestDrain): number {
    const seq = (this.#seqs.get(drain) ?? 0) + 1;
    this.#seqs.set(drain, seq);
    return seq;
  }

  #job({ job }: Claim): Model {
    return this.#jobs[Number(/"#(\d+)#"/.exec(job.raw)?.[1])] as Model;
  }
}

function outcomeOf(ending: Ending): Outcome {
  switch (ending) {
    case "failed":
    case "dropped":
      return { kind: ending, failure };
    case "retrying":
      return { kind: ending, failure, afterMs: 3_600_000 };
    case "postponed":
      return { kind: ending, afterMs: 3_600_000 };
    case "discarded":
      return { kind: ending, reason: "r" };
    default:
      return { kind: ending };
  }
}
