import { createAirlift } from "../../../src/airlift.ts";
import { ioredis } from "../../../src/redis/ioredis.ts";

/** A process that drains, and tells in the list `held` which jobs of the class `Hold` it holds; they never end. For whoever kills it. */
const [url = "", queue = "", concurrency = ""] = process.argv.slice(2);
const redis = ioredis(url);
const hold = {
  class: "Hold",
  async perform([name]: readonly unknown[]) {
    await redis.command(["RPUSH", "held", String(name)]);
    await new Promise(() => setTimeout(() => undefined, 600_000));
  },
};
await createAirlift({ redis, queues: [queue], concurrency: Number(concurrency), jobs: [hold] }).drain();
