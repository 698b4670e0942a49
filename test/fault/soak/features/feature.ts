import type { Redis } from "ioredis";
import type { Airlift } from "../../../../src/index.ts";
import type { Keys } from "../../../../src/resque/keys.ts";
import type { Random } from "../../harness/random.ts";
import type { Evidence } from "./evidence.ts";
import type { Verdict } from "./verdict.ts";

/** What must become of a job, however many requests were lost and drains died over it. */
export interface Expectation {
  /** Of its payload as its producer wrote it; several where jobs of one name differ. */
  readonly hashes: ReadonlySet<string>;
  /** `done`, whatever it did; `failed`: in the failed list; `dropped`: its last attempt failed, and it is kept nowhere. */
  readonly end: "done" | "failed" | "dropped";
  /** Attempts that fail. */
  readonly failures: number;
}

export type Transaction = ReturnType<Redis["multi"]>;

/** Who enqueues, while everything breaks. */
export interface Producer {
  readonly random: Random;
  /** An app that enqueues over HTTP, among the faults. */
  readonly airlift: Airlift;
  readonly keys: Keys;
  /** How long the run is. */
  readonly seconds: number;
  /** By Redis' clock. */
  nowMs(): number;
  /** Writes to Redis as programs beside it do, in one transaction and with nothing in between. */
  write(change: (transaction: Transaction) => unknown): Promise<void>;
  /** Pushes payloads as Ruby does. */
  push(queue: string, ...payloads: string[]): Promise<void>;
  /** Does something so many times, spread over the run. */
  pace(count: number, work: (number: number) => Promise<void>): Promise<void>;
}

/** When all is quiet: a drain at hand on a good network. */
export interface Rest {
  readonly airlift: Airlift;
  readonly keys: Keys;
  readonly redis: Redis;
}

/** One feature of Airlift in the soak: its producer, and what it promises. */
export interface Feature {
  readonly name: string;
  /** What must become of the job of this name; undefined if it is none of this feature's. */
  expectation(name: string): Expectation | undefined;
  /** The names of the jobs that it has enqueued, as far as it was told so. */
  given(): Iterable<string>;
  /** Enqueues its jobs for as long as the faults last. */
  produce(producer: Producer): Promise<void>;
  /** Tries, when all jobs have ended, whether what they held is free. */
  probe?(rest: Rest): Promise<void>;
  judge(evidence: Evidence): readonly Verdict[];
}

/** The number at a name's end: what a job does depends on it alone. */
export function numberIn(name: string): number {
  return Number(/\d+$/.exec(name)?.[0] ?? 0);
}
