import { Redis } from "ioredis";
import { type PreparedRun, perform, type SeedJob, type Setting, type System } from "./system.ts";

/** What is used of BullMQ, which is installed beside the benchmarks only and not known to the compiler. */
interface BullMq {
  Queue: new (
    name: string,
    options: object,
  ) => {
    addBulk(jobs: { name: string; data: unknown; opts?: object }[]): Promise<unknown>;
    close(): Promise<void>;
  };
  Worker: new (
    name: string,
    processor: (job: { data: { args: unknown[] } }) => Promise<void>,
    options: object,
  ) => {
    on(event: string, listener: (...args: never[]) => void): unknown;
    waitUntilReady(): Promise<unknown>;
    run(): Promise<void>;
    close(): Promise<void>;
  };
}

const JOBS_PER_ADD = 1_000;

async function load(): Promise<BullMq> {
  const name: string = "bullmq";
  return (await import(name)) as BullMq;
}

/** BullMQ: one Worker with its `concurrency`, done jobs removed as Resque removes them. */
export const bullmq: System = {
  async seed(redisPort: number, queueName: string, jobs: readonly SeedJob[]): Promise<void> {
    const { Queue } = await load();
    const connection = new Redis(redisPort, "127.0.0.1", { maxRetriesPerRequest: null });
    const queue = new Queue(queueName, { connection });
    for (let start = 0; start < jobs.length; start += JOBS_PER_ADD) {
      const batch = jobs.slice(start, start + JOBS_PER_ADD);
      await queue.addBulk(
        batch.map((job) => ({ name: job.class, data: { args: job.args }, opts: { removeOnComplete: true } })),
      );
    }
    await queue.close();
    connection.disconnect();
  },

  async prepare(setting: Setting, queue: string, jobs: number): Promise<PreparedRun> {
    const { Worker } = await load();
    const connection = new Redis(setting.redisPort, "127.0.0.1", { maxRetriesPerRequest: null });
    const options = { connection, concurrency: setting.inFlight, autorun: false, removeOnComplete: { count: 0 } };
    const worker = new Worker(queue, (job) => perform(setting.workload, job.data.args), options);
    await worker.waitUntilReady();
    return {
      async run() {
        const finished = Promise.withResolvers<void>();
        let left = jobs;
        worker.on("completed", () => {
          left -= 1;
          if (left === 0) finished.resolve();
        });
        worker.on("failed", (_job: unknown, error: Error) => finished.reject(error));
        worker.on("error", (error: Error) => finished.reject(error));
        worker.run().catch(finished.reject);
        await finished.promise;
        return undefined;
      },
      async close() {
        await worker.close();
        connection.disconnect();
      },
    };
  },
};
