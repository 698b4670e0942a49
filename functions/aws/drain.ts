// Drains: invoked each minute by the schedule in serverless.yml.
import { toLambdaHandler } from "airlift/platform/aws-lambda";
import { airlift } from "./app.ts";

export const handler = toLambdaHandler(airlift);
