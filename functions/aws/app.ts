import { createAirlift, runOn } from "airlift";
import { createLambdaLogger, startByInvoke } from "airlift/platform/aws-lambda";
import { upstash } from "airlift/redis/upstash";
import { lambda } from "airlift/target/lambda";
import { jobsOfDrain, jobsOfJobFunction, queues } from "./jobs.ts";

/** Named in serverless.yml. */
const { DRAIN_FUNCTION = "", JOB_FUNCTION = "" } = process.env;

/** What the functions `drain` and `api` share. */
export const airlift = createAirlift({
  redis: upstash(), // UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN
  queues,
  jobs: [...jobsOfDrain, ...runOn(lambda(JOB_FUNCTION), jobsOfJobFunction)],
  // What is enqueued by HTTP, or by a job, starts a drain at once. Without this line the next tick finds it.
  kick: startByInvoke(DRAIN_FUNCTION),
  platform: "aws-lambda",
  logger: createLambdaLogger(),
});
