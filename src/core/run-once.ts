import type { Clock } from "./clock.ts";
import { isDirective, release } from "./directive.ts";
import type { JobContext } from "./job-context.ts";
import { parseJson, stringifyJson } from "./json.ts";
import { mayPassMidway } from "./passing.ts";
import { type RepeatOptions, repeat } from "./repeat.ts";

/** What a run finds when it begins: nothing, and now it is the one; another that runs; or the result of one that is done. */
export type FoundRun =
  | { readonly kind: "begun" }
  | { readonly kind: "running" }
  | { readonly kind: "done"; readonly result: string };

/** Where it is kept which runs there are. Each operation may be repeated after an error, with the same effect. */
export interface RunStore {
  /** @param own what the job's own key says; undefined for its payload, less what counts its attempts */
  keyOf(job: Pick<JobContext, "queue" | "class" | "raw">, own: string | undefined): Promise<string>;
  begin(key: string, token: string, ttlMs: number): Promise<FoundRun>;
  /** Keeps the mark of a run that goes on, if it is still this run's. */
  renew(key: string, token: string, ttlMs: number): Promise<void>;
  complete(key: string, result: string, ttlMs: number): Promise<void>;
  /** Takes the mark away if it is still this run's. */
  abandon(key: string, token: string): Promise<void>;
}

export interface RunOnceOptions {
  readonly store: RunStore;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** One that no other run has. */
  readonly newToken: () => string;
  readonly ttlMs: number;
  readonly runningTtlMs: number;
  readonly retryAfterMs: number;
  readonly maxResultChars: number;
}

/**
 * Runs what has not been done yet.
 *
 * @returns what the run returns, or has returned when it was done; a directive that releases the job while another runs it
 */
export type RunOnce = (job: JobContext, own: string | undefined, run: () => unknown) => Promise<unknown>;

/** For how long a store that does not answer is asked again. */
const PATIENCE_MS = 5_000;
/** For what tells that a run is over: the store has taken its beginning in. */
const MIDWAY = { mayPass: mayPassMidway };

export function createRunOnce(options: RunOnceOptions): RunOnce {
  const { store, clock, random, newToken, ttlMs, runningTtlMs, retryAfterMs, maxResultChars } = options;

  const ask = <T>(call: () => Promise<T>, asked: Pick<RepeatOptions, "mayPass"> = {}): Promise<T> => {
    const untilMs = clock.nowMs() + PATIENCE_MS;
    return repeat(call, { ...asked, clock, random, untilMs: () => untilMs, onRetry: () => undefined });
  };

  /** Renews the mark until it is stopped, or the job is aborted: a handler that does not heed that must not hold it for ever. */
  const keepMark = (key: string, token: string, { signal, log }: JobContext): (() => void) => {
    let cancel = (): void => undefined;
    const wait = (): void => {
      cancel = clock.setTimer(Math.ceil(runningTtlMs / 3), () => {
        if (signal.aborted) return;
        store.renew(key, token, runningTtlMs).catch((error: unknown) => {
          log.warn("idempotency: the mark of a run was not renewed", { error });
        });
        wait();
      });
    };
    wait();
    return () => cancel();
  };

  const abandon = async (key: string, token: string, { log }: JobContext): Promise<void> => {
    try {
      await ask(() => store.abandon(key, token), MIDWAY);
    } catch (error) {
      log.warn("idempotency: the mark of a run that is over was not removed; it ends by itself", { error });
    }
  };

  const complete = async (key: string, result: unknown, { log }: JobContext): Promise<void> => {
    const text = encode(result, maxResultChars);
    if (text === undefined) log.warn("idempotency: a result is not kept: it is too long, or has no JSON form");
    try {
      await ask(() => store.complete(key, text ?? "", ttlMs), MIDWAY);
    } catch (error) {
      // To fail the job now would have it run again at once.
      log.error("idempotency: it was not kept that a job is done: delivered once more, it would run again", { error });
    }
  };

  return async (job, own, run) => {
    const key = await store.keyOf(job, own);
    const token = newToken();
    const found = await ask(() => store.begin(key, token, runningTtlMs));
    if (found.kind === "running") return release({ afterMs: retryAfterMs });
    if (found.kind === "done") return found.result === "" ? undefined : parseJson(found.result);
    const stop = keepMark(key, token, job);
    try {
      const result = await run();
      stop();
      await (isDirective(result) ? abandon(key, token, job) : complete(key, result, job));
      return result;
    } catch (error) {
      stop();
      await abandon(key, token, job);
      throw error;
    }
  };
}

/** Empty for no result; undefined for one that cannot be kept. */
function encode(result: unknown, maxChars: number): string | undefined {
  try {
    // Of undefined there is no JSON, though the type does not say so.
    const text = (stringifyJson(result) as string | undefined) ?? "";
    return text.length <= maxChars ? text : undefined;
  } catch {
    return undefined;
  }
}
