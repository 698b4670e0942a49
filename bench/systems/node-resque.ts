import { Redis } from "ioredis";
import NodeResque from "node-resque";
import { seedResqueQueue } from "./resque-queue.ts";
import { type PreparedRun, perform, type Setting, type System } from "./system.ts";

/** node-resque with as many workers as jobs may be in flight, on one connection that pipelines what is sent in one tick. */
export const nodeResque: System = {
  seed: seedResqueQueue,
  async prepare(setting: Setting, queue: string, jobs: number): Promise<PreparedRun> {
    const redis = new Redis(setting.redisPort, "127.0.0.1", { enableAutoPipelining: false });
    redis.setMaxListeners(0);
    const handler = { perform: (...args: unknown[]) => perform(setting.workload, args) };
    const workers = Array.from({ length: setting.inFlight }, (_, n) => {
      const name = `bench:${process.pid}+${n}`;
      return new NodeResque.Worker({ connection: { redis }, queues: [queue], name }, { Noop: handler, Sleep: handler });
    });
    await Promise.all(workers.map((worker) => worker.connect()));
    return {
      async run() {
        const finished = Promise.withResolvers<void>();
        let left = jobs;
        for (const worker of workers) {
          worker.on("success", () => {
            left -= 1;
            if (left === 0) finished.resolve();
          });
          worker.on("failure", (_queue, _job, error) => finished.reject(error));
          worker.on("error", (error) => finished.reject(error));
        }
        await Promise.all(workers.map((worker) => worker.start()));
        await finished.promise;
        return undefined;
      },
      async close() {
        // A worker that is told to end in the middle of its last bookkeeping sleeps for its whole time limit first.
        while (workers.some((worker) => worker.working)) await new Promise((resolve) => setImmediate(resolve));
        await Promise.all(workers.map((worker) => worker.end()));
        redis.disconnect();
      },
    };
  },
};
