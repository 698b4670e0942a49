/**
 * Runs in the tests' thread in the place of vitest's own runner: each test first without any mutant, then with one after the other of those that it
 * reaches. All in one thread, which is warm: some hundred times faster than a process for each. A mutant is found if the test fails with it and passes
 * without it right after; and, unless the thread was fresh, fails with it once more.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { type RunnerTestCase, TestRunner, type TestRunnerConfig, type TestTryOptions } from "vitest";
import { coveringScripts, exchangedScripts, type ReplacedScript, reachedBlocks } from "./exchanged-scripts.ts";
import type { Entry, ThreadPlan } from "./mutant.ts";

type PlannedMutant = ThreadPlan["mutants"][number];

/** The names are those of Stryker's instrumenter. */
interface Instrumented {
  activeMutant?: string | undefined;
  hitCount?: number;
  hitLimit?: number;
  currentTestId?: string | undefined;
  mutantCoverage?: { static: Record<string, number>; perTest: Record<string, Record<string, number>> };
  scripts?: Readonly<Record<string, ReplacedScript>> | undefined;
}

/** What is passed so much more often with a mutant than without is an endless loop. */
const HIT_FACTOR = 100;
const MORE_HITS = 1_000;
/** What fails after longer waiting is no accident, and is not tried twice. */
const SLOW_MS = 1_000;
/** A test hangs if it takes so much longer with a mutant than without. */
const HANG_FACTOR = 6;
const SLACK_MS = 1_500;

const globals = globalThis as { __stryker__?: Instrumented };
globals.__stryker__ ??= {};
const instrumented = globals.__stryker__;
instrumented.mutantCoverage ??= { static: {}, perTest: {} };
const { perTest } = instrumented.mutantCoverage;

/** What a try is for. */
type Step = { readonly kind: "base" | "check" } | { readonly kind: "mutant" | "again"; readonly mutant: PlannedMutant };

export default class MutationRunner extends TestRunner {
  readonly #plan = JSON.parse(readFileSync(process.env["AIRLIFT_MUTATION_PLAN"] ?? "", "utf8")) as ThreadPlan;
  readonly #alive = new Map(this.#plan.mutants.map((mutant) => [mutant.id, { ...mutant }]));
  readonly #byCoverage = Map.groupBy(this.#plan.mutants, ({ coveredAs }) => coveredAs);
  readonly #done = new Set(this.#plan.done);
  readonly #covering = coveringScripts();
  #uncaught: string | undefined;
  /** No mutant has failed in this thread. */
  #isFresh = true;
  #isSpoilt = false;
  #step: Step = { kind: "base" };
  #left: PlannedMutant[] = [];
  #suspect: PlannedMutant | undefined;
  #startedMs = 0;
  #baseMs = 0;
  #hasHung = false;

  constructor(config: TestRunnerConfig) {
    super(config);
    const note = (): void => {
      // Whatever it is, it may be such that nothing can be read of it.
      this.#uncaught = "something was thrown that nobody caught";
    };
    process.on("unhandledRejection", note);
    process.on("uncaughtException", note);
  }

  override async onBeforeRunTask(test: RunnerTestCase): Promise<void> {
    await super.onBeforeRunTask(test);
    if (this.#isSpoilt || this.#done.has(nameOf(test))) test.mode = "skip";
    if (test.mode !== "run") return;
    // Vitest tries again what has failed, with all hooks; onAfterRetryTask decides whether it has.
    (test as { retry?: number }).retry = Number.MAX_SAFE_INTEGER;
    this.#step = { kind: "base" };
    this.#left = [];
  }

  override onBeforeTryTask(test: RunnerTestCase, options: TestTryOptions): void {
    super.onBeforeTryTask(test as never, options as never);
    const mutant = "mutant" in this.#step ? this.#step.mutant : undefined;
    write(this.#plan, ["try", nameOf(test), mutant?.id ?? ""]);
    this.#uncaught = undefined;
    this.#hasHung = false;
    instrumented.hitCount = 0;
    instrumented.hitLimit = HIT_FACTOR * (perTest[nameOf(test)]?.[mutant?.id ?? ""] ?? 0) + MORE_HITS;
    instrumented.activeMutant = mutant?.edit ? undefined : mutant?.id;
    if (this.#step.kind === "base") {
      instrumented.scripts = this.#covering;
      reachedBlocks();
    } else instrumented.scripts = mutant?.edit && exchangedScripts(mutant.file, mutant.edit, mutant.replacement);
    instrumented.currentTestId = this.#step.kind === "base" ? nameOf(test) : undefined;
    this.#startedMs = threadMs();
  }

  async runTask(test: RunnerTestCase): Promise<void> {
    const run = TestRunner.getTestFn(test as never) as () => Promise<void>;
    const limitMs = SLACK_MS + HANG_FACTOR * this.#baseMs;
    const sinceMs = threadMs();
    let timer: ReturnType<typeof setInterval> | undefined;
    const hung = new Promise<never>((_, reject) => {
      timer = setInterval(() => {
        if (!("mutant" in this.#step)) return;
        if (threadMs() - sinceMs < limitMs) return;
        this.#hasHung = true;
        reject(new Error("hangs"));
      }, 100);
    });
    try {
      await Promise.race([run(), hung]);
    } catch (error) {
      // Not the error itself, whose difference between two large values would be worked out for people to read.
      throw new Error(messageOf(error));
    } finally {
      clearInterval(timer);
    }
  }

  override async onAfterRetryTask(test: RunnerTestCase, options: TestTryOptions): Promise<void> {
    await super.onAfterRetryTask(test as never, options as never);
    await turn();
    if ((instrumented.hitCount ?? 0) > (instrumented.hitLimit ?? 0)) this.#hasHung = true;
    instrumented.currentTestId = undefined;
    instrumented.activeMutant = undefined;
    instrumented.scripts = undefined;
    const { result } = test;
    if (!result || result.state === "skip" || (result as { pending?: boolean }).pending) return;
    const why = this.#uncaught ?? (result.state === "fail" ? result.errors?.at(-1)?.message : undefined);
    const next = this.#next(nameOf(test), why, threadMs() - this.#startedMs);
    if (next) this.#step = next;
    else if (!this.#isSpoilt) write(this.#plan, ["done", nameOf(test)]);
    // Only what has failed is tried again.
    result.state = next ? "fail" : "pass";
    if (next) result.errors = [{ name: "Error", message: "goes on" } as never];
    else delete result.errors;
    (result as { attempts?: unknown[] }).attempts = [];
  }

  /** Judges a try, and tells what the next one is for; undefined if the test is over. */
  #next(test: string, why: string | undefined, ms: number): Step | undefined {
    const step = this.#step;
    const hasFailed = why !== undefined;
    switch (step.kind) {
      case "base":
        if (hasFailed) {
          write(this.#plan, ["odd", test, why, false]);
          return undefined;
        }
        this.#baseMs = ms;
        perTest[test] = { ...perTest[test], ...Object.fromEntries(reachedBlocks().map((name) => [name, 1])) };
        this.#left = ms >= this.#plan.fromMs && ms < this.#plan.belowMs ? this.#reached(test) : [];
        write(this.#plan, ["base", test, ms, this.#left.length]);
        return this.#nextMutant();
      case "mutant":
        if (!hasFailed) return this.#passed(test, step.mutant, ms);
        this.#suspect = step.mutant;
        if (this.#isFresh || this.#hasHung || ms > SLOW_MS) this.#killed(test, ms);
        this.#isFresh = false;
        // What hangs goes on behind the next tests' backs.
        this.#isSpoilt = this.#hasHung;
        return this.#isSpoilt ? undefined : { kind: "check" };
      case "check": {
        if (hasFailed) {
          this.#isSpoilt = true;
          write(this.#plan, ["odd", test, why, true]);
          return undefined;
        }
        const suspect = this.#suspect;
        this.#suspect = undefined;
        return suspect ? { kind: "again", mutant: suspect } : this.#nextMutant();
      }
      case "again":
        if (!hasFailed) return this.#passed(test, step.mutant, ms);
        this.#suspect = step.mutant;
        this.#killed(test, ms);
        return this.#nextMutant();
    }
  }

  #passed(test: string, mutant: PlannedMutant, ms: number): Step | undefined {
    write(this.#plan, ["passed", test, mutant.id, ms]);
    const alive = this.#alive.get(mutant.id);
    if (alive) this.#alive.set(mutant.id, { ...alive, budgetMs: alive.budgetMs - ms });
    return this.#nextMutant();
  }

  #killed(test: string, ms: number): void {
    if (!this.#suspect) return;
    this.#alive.delete(this.#suspect.id);
    write(this.#plan, [this.#hasHung ? "hung" : "killed", test, this.#suspect.id, ms]);
    this.#suspect = undefined;
  }

  #reached(test: string): PlannedMutant[] {
    const reached = Object.keys(perTest[test] ?? {}).flatMap((name) => this.#byCoverage.get(name) ?? []);
    const met = new Set(this.#plan.met[test]);
    return reached.filter(({ id }) => !met.has(id) && (this.#alive.get(id)?.budgetMs ?? 0) > 0);
  }

  #nextMutant(): Step | undefined {
    const mutant = this.#left.shift();
    return mutant && { kind: "mutant", mutant };
  }
}

function messageOf(error: unknown): string {
  try {
    return String((error as Error).message).split("\n", 1)[0] ?? "";
  } catch {
    return "an error that cannot be read";
  }
}

/** A clock that stands still while the thread waits for a processor: a busy machine makes no test hang. */
function threadMs(): number {
  try {
    const [, waitedNs] = readFileSync("/proc/thread-self/schedstat", "utf8").split(" ");
    return performance.now() - Number(waitedNs) / 1e6;
  } catch {
    return performance.now();
  }
}

function nameOf(test: RunnerTestCase): string {
  return test.fullTestName;
}

function write({ journal }: ThreadPlan, entry: Entry): void {
  appendFileSync(journal, `${JSON.stringify(entry)}\n`);
}
