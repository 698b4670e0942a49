import { createAirlift } from "airlift";
import { startByRequest } from "airlift/platform/fetch";
import { upstash } from "airlift/redis/upstash";
import { jobs, queues } from "./jobs.ts";

const { CRON_SECRET, URL: site } = process.env;
/** Starts drain-background.ts, which Netlify lets run for 15 minutes, and answers for at once. URL is the site's own address. */
const start = site && startByRequest({ url: `${site}/.netlify/functions/drain-background`, secret: CRON_SECRET });

/** What the functions share. */
export const airlift = createAirlift({
  redis: upstash(), // UPSTASH_REDIS_REST_URL and _TOKEN, or KV_REST_API_URL and _TOKEN
  queues,
  jobs,
  platform: "netlify",
  // What is enqueued runs at once, and what the 30 seconds of a scheduled function are too short for goes on.
  ...(start && { kick: start, successor: { start } }),
});
