// Drains: called by Netlify's schedule, which nobody else can do. Its 30 seconds are the least, so no class may have a longer time limit.
import { toScheduledHandler } from "airlift/platform/fetch";
import { airlift } from "./app.ts";
import { SCHEDULED_MS } from "./limits.ts";

export default toScheduledHandler(airlift, { maxDurationMs: SCHEDULED_MS });
export const config = { schedule: "* * * * *" };
