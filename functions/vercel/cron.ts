// Drains: called each minute by the cron job in infra/vercel/vercel.json, and by whoever else bears CRON_SECRET.
import { toCronRoute } from "airlift/platform/vercel";
import { airlift } from "./app.ts";
import { MAX_DURATION_MS } from "./limits.ts";

export const GET = toCronRoute(airlift, { maxDurationMs: MAX_DURATION_MS });
export const POST = GET;
