import { createAirlift } from "airlift";
import { createLambdaLogger } from "airlift/platform/aws-lambda";
import { upstash } from "airlift/redis/upstash";
import { jobs, queues } from "./jobs.ts";

/** What drain and API share. */
export const airlift = createAirlift({
  redis: upstash(), // UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN
  queues,
  jobs,
  platform: "aws-lambda",
  logger: createLambdaLogger(),
});
