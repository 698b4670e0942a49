// Drains for up to 15 minutes, as its name's end tells Netlify: called by the other functions, and by whoever else bears CRON_SECRET.
import { toFetchHandler } from "airlift/platform/fetch";
import { airlift } from "./app.ts";
import { BACKGROUND_MS } from "./limits.ts";

export default toFetchHandler(airlift, { secret: process.env["CRON_SECRET"], maxDurationMs: BACKGROUND_MS });
