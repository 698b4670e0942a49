// The HTTP API: enqueues jobs, and shows and operates the queues. A role without a token is closed.
import { createHttpApp } from "airlift/http";
import { toLambdaApiHandler } from "airlift/platform/aws-lambda";
import { airlift } from "./app.ts";

const { ENQUEUE_TOKEN, OPERATE_TOKEN } = process.env;

export const handler = toLambdaApiHandler(
  createHttpApp(airlift, {
    tokens: { enqueue: ENQUEUE_TOKEN || undefined, operate: OPERATE_TOKEN || undefined },
  }),
);
