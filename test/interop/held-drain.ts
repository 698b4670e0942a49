import { type AirliftOptions, createAirlift, type DrainReport } from "../../src/index.ts";
import { until } from "../support/until.ts";

/**
 * A drain whose handlers wait in the middle of a job, so that others can look at what it has written. Disposing of it lets all jobs
 * end, and waits for the drain's own end.
 */
export interface HeldDrain extends AsyncDisposable {
  /** The args of the jobs that were started, in order. */
  readonly started: unknown[][];
  /** Lets all jobs end, those to come too. */
  release(): void;
  readonly report: Promise<DrainReport>;
}

/** Starts a drain that runs the class `Hold`, and waits until so many of its jobs run. */
export async function holdDrain(
  options: Pick<AirliftOptions, "redis" | "queues"> & Partial<AirliftOptions>,
  count = 1,
): Promise<HeldDrain> {
  const gate = Promise.withResolvers<void>();
  const started: unknown[][] = [];
  const hold = {
    class: "Hold",
    perform: async (args: readonly unknown[]) => {
      started.push([...args]);
      await gate.promise;
    },
  };
  const report = createAirlift({ concurrency: count, ...options, jobs: [hold, ...(options.jobs ?? [])] }).drain();
  const end = async (): Promise<void> => {
    gate.resolve();
    await report;
  };
  try {
    await until(() => started.length === count);
  } catch (error) {
    await end();
    throw error;
  }
  return { started, release: gate.resolve, report, [Symbol.asyncDispose]: end };
}
