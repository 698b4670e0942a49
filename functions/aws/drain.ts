// Runs what waits in the queues: invoked each minute by the schedule in serverless.yml, and when something is enqueued.
import { toLambdaHandler } from "airlift/platform/aws-lambda";
import { airlift } from "./app.ts";

export const handler = toLambdaHandler(airlift);
