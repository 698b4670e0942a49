/** Run by enqueue-stream.test.ts in a process with a small heap: streams 800 MB of jobs to the Redis at argv[2]. */
import { createAirlift } from "../../src/airlift.ts";
import { createHttpApp } from "../../src/http/app.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import { NDJSON, streamOf } from "./open-app.ts";

const redis = ioredis(process.argv[2] ?? "");
const airlift = createAirlift({ redis, queues: ["*"], jobs: [] });
const app = createHttpApp(airlift, { tokens: { enqueue: "t" } });
const part = `{"class":"A","args":["${"x".repeat(9_000)}"]}\n`.repeat(100);

async function* body(): AsyncGenerator<string> {
  for (let n = 0; n < 900; n++) {
    // Keeps Redis small, too.
    if (n % 50 === 0) await redis.command(["LTRIM", "resque:queue:mail", -1, -1]);
    yield part;
  }
}

const headers = { authorization: "Bearer t", "content-type": NDJSON };
const init = { method: "POST", headers, body: streamOf(body()), duplex: "half" };
const response = await app.request("/queues/mail/jobs", init as RequestInit);
const peakBytes = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ answer: await response.json(), peakBytes }));
await airlift.close();
