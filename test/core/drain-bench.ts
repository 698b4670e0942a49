import { drain } from "../../src/core/drain.ts";
import type { DrainDeps, DrainOptions } from "../../src/core/drain-deps.ts";
import type { DrainEvent } from "../../src/core/events.ts";
import { type AnyJobDefinition, createRegistry } from "../../src/core/registry.ts";
import type { DrainReport } from "../../src/core/report.ts";
import type { ClaimedJob, DrainStore, ExchangeParams, ExchangeResult, Notes } from "../../src/core/store.ts";
import { createManualClock, type ManualClock } from "./manual-clock.ts";

/** One exchange, as the store saw it. */
export type SeenExchange = ExchangeParams & { readonly atMs: number };
type Job = Extract<ClaimedJob, { kind: "job" }>;

/** A drain by a clock that is set by hand, over a store in memory that notes when it is asked what. */
export interface DrainBench {
  readonly clock: ManualClock;
  /** What is queued, as the names of jobs; a test may change it. */
  readonly queue: string[];
  readonly exchanges: readonly SeenExchange[];
  /** The names of the store's other calls, each with its instant. Instants are those since the beginning. */
  readonly calls: readonly (readonly [name: string, atMs: number])[];
  readonly noted: readonly (Notes & { readonly atMs: number })[];
  readonly events: readonly DrainEvent[];
  /** The names of the jobs whose handlers were begun, each with its instant. */
  readonly begun: readonly (readonly [name: string, atMs: number])[];
  readonly report: DrainReport | undefined;
  readonly error: unknown;
  /** How the jobs ended that the store was told of, as `name: kind`. */
  readonly settled: readonly string[];
}

export type StoreChange = (bench: DrainBench, store: DrainStore) => Partial<DrainStore>;

export interface BenchOptions {
  /** The jobs that are queued, as `class` or `class argument`: a `Noop` takes as many ms as its argument says. */
  readonly queue?: readonly string[];
  /** Beside `Noop`. */
  readonly jobs?: readonly AnyJobDefinition[];
  readonly settings?: Partial<DrainDeps["settings"]>;
  readonly deps?: Partial<DrainDeps>;
  /** `deadlineMs` is counted from the beginning. */
  readonly options?: DrainOptions;
  /** What the store does instead. */
  readonly store?: StoreChange;
  /** What an exchange is answered beside what it claims. */
  readonly answer?: (params: SeenExchange, claimed: number) => Partial<ExchangeResult>;
}

type EventOf<Kind> = Extract<DrainEvent, { readonly kind: Kind }>;

export const START_MS = 1_000_000;
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Starts a drain; `clock.advance` lets it go on. */
export function createDrainBench(options: BenchOptions = {}): DrainBench {
  const clock = createManualClock(START_MS);
  const sinceMs = (): number => clock.nowMs() - START_MS;
  const queue = [...(options.queue ?? [])];
  const exchanges: SeenExchange[] = [];
  const calls: [string, number][] = [];
  const noted: (Notes & { readonly atMs: number })[] = [];
  const events: DrainEvent[] = [];
  const begun: [string, number][] = [];
  const settled: string[] = [];
  const slots = new Map<number, string>();
  const usage = { commands: 0, requests: 0 };
  let tokens = 0;
  let ending: { readonly report?: DrainReport; readonly error?: unknown } = {};
  const called = (name: string): void => {
    usage.requests++;
    calls.push([name, sinceMs()]);
  };
  const jobOf = (name: string): Job => ({
    ...{ kind: "job", class: name.split(" ")[0] as string, args: [name], raw: name, attempt: 1, retries: 0, id: name },
  });
  const nameOf = (job: ClaimedJob): string => job.raw;

  const base: DrainStore = {
    drainId: "d",
    usage,
    async hasWork() {
      called("hasWork");
      return true;
    },
    async hasQueued() {
      called("hasQueued");
      return queue.length > 0;
    },
    async survey() {
      called("survey");
      return { dead: [], nextDueMs: undefined };
    },
    async promote() {
      called("promote");
      return { promoted: 0, nextDueMs: undefined };
    },
    async recover() {
      called("recover");
      return { requeued: 0, failed: 0 };
    },
    async exchange(params) {
      usage.requests++;
      const seen = { ...params, atMs: sinceMs() };
      exchanges.push(seen);
      for (const { claim, outcome } of params.settle.toReversed()) {
        if (slots.get(claim.slot) !== claim.token) throw new Error(`slot ${claim.slot} holds another job`);
        slots.delete(claim.slot);
        if (outcome.kind === "released") queue.unshift(nameOf(claim.job));
      }
      for (const { claim, outcome } of params.settle) settled.push(`${nameOf(claim.job)}: ${outcome.kind}`);
      const claims = params.fill.slice(0, queue.length).map((slot) => {
        if (slots.has(slot)) throw new Error(`slot ${slot} is not free`);
        const token = `t${++tokens}`;
        slots.set(slot, token);
        return { slot, token, queue: "q", job: jobOf(queue.shift() as string) };
      });
      return {
        ...{ claims, lost: [], isRegistered: true, isPaused: false, isLimited: false, freesInMs: undefined },
        isDrained: claims.length < params.fill.length,
        ...options.answer?.(seen, claims.length),
      };
    },
    async settleDetached() {
      called("settleDetached");
      return true;
    },
    async note(notes) {
      called("note");
      noted.push({ ...notes, atMs: sinceMs() });
    },
    async close() {
      called("close");
      const released = slots.size;
      slots.clear();
      return { released };
    },
    async countQueued() {
      called("countQueued");
      return queue.length;
    },
    planSiblings: async () => ({ missing: 0, queued: 0 }),
  };
  const bench: DrainBench = {
    ...{ clock, queue, exchanges, calls, noted, events, begun, settled },
    get report() {
      return ending.report;
    },
    get error() {
      return ending.error;
    },
  };
  const noop: AnyJobDefinition = {
    class: "Noop",
    perform([name]: readonly string[]) {
      const ms = Number(name?.split(" ")[1] ?? 0);
      return ms > 0 ? new Promise<void>((resolve) => clock.setTimer(ms, resolve)) : undefined;
    },
  };
  const { deadlineMs, ...others } = options.options ?? {};
  const running = drain(
    {
      // A getter, as the meter's figures change.
      store: Object.defineProperty({ ...base, ...options.store?.(bench, base) }, "usage", { get: () => usage }),
      registry: createRegistry([noop, ...(options.jobs ?? [])]),
      settings: {
        ...{ concurrency: 4, timeoutMs: 60_000, leaseMs: 30_000, marginMs: 0, graceMs: 500, unknownClass: "fail" },
        ...options.settings,
      },
      ...{ clock, random: () => 0, logger: silent, listeners: [(event) => void events.push(event)] },
      runHandler: (run) => run(),
      perform: (definition, args, context) => {
        begun.push([args[0] as string, sinceMs()]);
        return definition.perform(args, context);
      },
      ...options.deps,
    },
    { ...others, ...(deadlineMs !== undefined && { deadlineMs: START_MS + deadlineMs }) },
  );
  running.then(
    (report) => {
      ending = { report };
    },
    (error: unknown) => {
      ending = { error };
    },
  );
  return bench;
}

export const times = ({ exchanges }: DrainBench): readonly number[] => exchanges.map(({ atMs }) => atMs);
export const timesOf = ({ calls }: DrainBench, name: string): readonly number[] =>
  calls.filter(([called]) => called === name).map(([, atMs]) => atMs);
/** Of each exchange: when, how many jobs it settled, and how many it asked for. */
export const moves = ({ exchanges }: DrainBench): readonly (readonly number[])[] =>
  exchanges.map(({ atMs, settle, fill }) => [atMs, settle.length, fill.length]);
export const many = (count: number, name: string): string[] => Array.from({ length: count }, () => name);
export function ofKind<Kind extends DrainEvent["kind"]>({ events }: DrainBench, kind: Kind): EventOf<Kind>[] {
  return events.filter((event): event is EventOf<Kind> => event.kind === kind);
}
