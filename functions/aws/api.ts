// The HTTP API: enqueues, and shows and operates the queues. A role without a token is closed.
import { createHttpApp } from "airlift/http";
import { lambdaDrainOptions, toLambdaApiHandler } from "airlift/platform/aws-lambda";
import { airlift } from "./app.ts";

const { ENQUEUE_TOKEN, OPERATE_TOKEN } = process.env;

const app = createHttpApp(airlift, {
  tokens: { enqueue: ENQUEUE_TOKEN || undefined, operate: OPERATE_TOKEN || undefined },
  maxDrainMs: 25_000, // the API waits for 30 s; a drain that is invoked has more
  drain: lambdaDrainOptions(),
});

export const handler = toLambdaApiHandler(app);
