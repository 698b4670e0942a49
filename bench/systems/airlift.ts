import { createAirlift } from "../../src/airlift.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import { upstash } from "../../src/redis/upstash.ts";
import { seedResqueQueue } from "./resque-queue.ts";
import { type PreparedRun, perform, type Setting, type System } from "./system.ts";

/** Airlift, with its defaults for all but the concurrency: one drain until the queue is empty. */
export const airlift: System = {
  seed: seedResqueQueue,
  async prepare(setting: Setting, queue: string): Promise<PreparedRun> {
    const handler = (args: readonly unknown[]): Promise<void> => perform(setting.workload, args);
    const redis =
      setting.transport === "http"
        ? upstash({ url: setting.gatewayUrl, token: setting.token })
        : ioredis(`redis://127.0.0.1:${setting.redisPort}`);
    await redis.command(["PING"]);
    const app = createAirlift({
      redis,
      queues: [queue],
      concurrency: setting.inFlight,
      jobs: ["Noop", "Sleep"].map((name) => ({ class: name, perform: handler })),
    });
    return {
      async run() {
        const { stopped, failed, commands, requests } = await app.drain();
        if (stopped !== "empty" || failed > 0) throw new Error(`the drain ended ${stopped} with ${failed} failed jobs`);
        return { commands, requests };
      },
      close: () => app.close(),
    };
  },
};
