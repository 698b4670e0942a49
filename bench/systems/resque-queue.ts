import { Redis } from "ioredis";
import type { SeedJob } from "./system.ts";

const JOBS_PER_PUSH = 1_000;

/** Puts jobs into a Resque queue, as Ruby Resque writes them. */
export async function seedResqueQueue(redisPort: number, queue: string, jobs: readonly SeedJob[]): Promise<void> {
  const redis = new Redis(redisPort, "127.0.0.1");
  try {
    await redis.sadd("resque:queues", queue);
    for (let start = 0; start < jobs.length; start += JOBS_PER_PUSH) {
      const payloads = jobs.slice(start, start + JOBS_PER_PUSH).map((job) => JSON.stringify(job));
      await redis.rpush(`resque:queue:${queue}`, ...payloads);
    }
  } finally {
    redis.disconnect();
  }
}
