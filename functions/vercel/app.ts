import { createAirlift, drainInBackground, runOn } from "airlift";
import { startByRequest } from "airlift/platform/fetch";
import { waitUntil } from "airlift/platform/vercel";
import { upstash } from "airlift/redis/upstash";
import { http } from "airlift/target/http";
import { jobsOfDrain, jobsOfJobFunction, queues } from "./jobs.ts";
import { MAX_DURATION_MS } from "./limits.ts";

const { CRON_SECRET, JOBS_SECRET, SITE_URL, VERCEL_PROJECT_PRODUCTION_URL } = process.env;
/** This project's address; SITE_URL says it where Vercel does not. */
const site = SITE_URL || (VERCEL_PROJECT_PRODUCTION_URL && `https://${VERCEL_PROJECT_PRODUCTION_URL}`);
/** The function `job`, if it can be reached and is not closed. */
const jobFunction = site && JOBS_SECRET && http(`${site}/api/job`, { secret: JOBS_SECRET });

/** What cron route and API share. */
export const airlift = createAirlift({
  redis: upstash(), // UPSTASH_REDIS_REST_URL and _TOKEN, or KV_REST_API_URL and _TOKEN
  queues,
  jobs: [...jobsOfDrain, ...(jobFunction ? runOn(jobFunction, jobsOfJobFunction) : jobsOfJobFunction)],
  platform: "vercel",
  // What is enqueued runs at once, in the time that is left to the function that enqueues it.
  kick: drainInBackground(waitUntil, MAX_DURATION_MS - 10_000),
  // What the time of one drain is too short for is gone on with by the next.
  ...(site && { successor: { start: startByRequest({ url: `${site}/api/cron`, secret: CRON_SECRET }) } }),
});
