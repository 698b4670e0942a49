// Runs one job an invocation, which a drain sends, signed with JOBS_SECRET. Without it nobody can send any.
import { createJobFunction } from "airlift/job-function";
import { toFetchJobHandler } from "airlift/platform/fetch";
import { jobsOfJobFunction } from "./jobs.ts";
import { MAX_DURATION_MS } from "./limits.ts";

const { JOBS_SECRET: secret } = process.env;
const jobFunction = createJobFunction({ jobs: jobsOfJobFunction });

export const POST = secret
  ? toFetchJobHandler(jobFunction, { secret, maxDurationMs: MAX_DURATION_MS })
  : async () => new Response("JOBS_SECRET is not set", { status: 503 });
