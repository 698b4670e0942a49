// Functions that are bundled and run as those of functions/aws/ are, for what their example jobs do not do.
import { setTimeout as sleep } from "node:timers/promises";
import { createAirlift, defineJob, runOn } from "airlift";
import { createJobFunction } from "airlift/job-function";
import {
  createLambdaLogger,
  type LambdaHandler,
  toLambdaHandler,
  toLambdaJobHandler,
} from "airlift/platform/aws-lambda";
import { upstash } from "airlift/redis/upstash";
import { lambda } from "airlift/target/lambda";

const inDrain = [
  defineJob<[when: "during" | "after"]>({
    class: "ThrowLate",
    perform: ([when]) => {
      // By then a drain without other jobs has ended, and its environment is frozen.
      const delayMs = when === "during" ? 5 : 150;
      setTimeout(() => {
        throw new RangeError(`late: ${when}`);
      }, delayMs);
      return when === "during" ? sleep(60_000) : undefined;
    },
  }),
  defineJob({ class: "Steady", perform: () => sleep(250) }),
];

const detached = [
  defineJob<[outcome: string]>({
    class: "Detached",
    perform: async ([outcome]) => {
      await sleep(50);
      if (outcome === "fail") throw new RangeError("as it was told");
    },
  }),
];

const logger = createLambdaLogger();

export const drain: LambdaHandler<unknown, unknown> = toLambdaHandler(
  createAirlift({
    redis: upstash(),
    queues: ["q"],
    jobs: [...inDrain, ...runOn(lambda("other-job", { invocation: "async", leaseMs: 30_000 }), detached)],
    logger,
  }),
);

export const job: LambdaHandler<unknown, unknown> = toLambdaJobHandler(
  createJobFunction({ jobs: detached, redis: upstash(), logger }),
);
