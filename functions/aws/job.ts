// Runs one job an invocation, which the drain sends.
import { createJobFunction } from "airlift/job-function";
import { createLambdaLogger, toLambdaJobHandler } from "airlift/platform/aws-lambda";
import { jobsOfJobFunction } from "./jobs.ts";

export const handler = toLambdaJobHandler(createJobFunction({ jobs: jobsOfJobFunction, logger: createLambdaLogger() }));
