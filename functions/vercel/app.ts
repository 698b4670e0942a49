import { createAirlift, drainInBackground } from "airlift";
import { startByRequest } from "airlift/platform/fetch";
import { waitUntil } from "airlift/platform/vercel";
import { upstash } from "airlift/redis/upstash";
import { jobs, queues } from "./jobs.ts";
import { MAX_DURATION_MS } from "./limits.ts";

const { CRON_SECRET, CRON_URL, VERCEL_PROJECT_PRODUCTION_URL } = process.env;
/** Where this project's cron route is; CRON_URL says it where Vercel does not. */
const url = CRON_URL || (VERCEL_PROJECT_PRODUCTION_URL && `https://${VERCEL_PROJECT_PRODUCTION_URL}/api/cron`);

/** What cron route and API share. */
export const airlift = createAirlift({
  redis: upstash(), // UPSTASH_REDIS_REST_URL and _TOKEN, or KV_REST_API_URL and _TOKEN
  queues,
  jobs,
  platform: "vercel",
  // What is enqueued runs at once, in the time that is left to the function that enqueues it.
  kick: drainInBackground(waitUntil, MAX_DURATION_MS - 10_000),
  // A backlog is worked on after the cron route's time is over.
  ...(url && { successor: { start: startByRequest({ url, secret: CRON_SECRET }) } }),
});
