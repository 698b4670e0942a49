// Read by tsc as a part of `npm run check`: a wrong type, or an error that is expected and does not come, fails it.
import { LambdaClient } from "@aws-sdk/client-lambda";
import { z } from "zod";
import { createAirlift, defineJob, defineJobsWith, type RedisClient, runOn } from "../../src/index.ts";
import { createJobFunction } from "../../src/job-function/job-function.ts";
import { http } from "../../src/target/http.ts";
import { lambda } from "../../src/target/lambda.ts";

declare const redis: RedisClient;
const rest = { redis, queues: ["q"] } as const;

// A target runs jobs whatever their arguments are.
const plain = defineJob<[string]>({ class: "A", perform: lambda("f") });
const typed = defineJob({
  class: "B",
  args: z.tuple([z.number()]),
  perform: lambda("f", { client: new LambdaClient({}) }),
});
const made = defineJob({
  class: "C",
  decode: (raw) => ({ raw }),
  perform: lambda("f", { invocation: "async", leaseMs: 5_000 }),
});
const airlift = createAirlift({ ...rest, jobs: [plain, typed, made] });
await airlift.enqueue(plain, ["x"]);
// @ts-expect-error the arguments are those of the class
await airlift.enqueue(plain, [1]);
// @ts-expect-error there is no such invocation
lambda("f", { invocation: "later" });

// What a job needs of its app, its function has to give; the app that sends it there needs none of it.
const resources = { db: () => ({ query: (text: string) => text }) };
const defineOurs = defineJobsWith({ resources });
const ours = defineOurs({ class: "D", perform: async (_args, job) => (await job.resources.db).query("x") });
createJobFunction({ jobs: [ours], resources, redis });
// @ts-expect-error the job needs a db
createJobFunction({ jobs: [ours] });
createAirlift({ ...rest, jobs: runOn(lambda("f"), [ours, plain, typed, made]) });
createAirlift({ ...rest, jobs: runOn(http("https://example.com", { secret: "" }), [ours]) });
