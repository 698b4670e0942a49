import type { Context } from "hono";
import type { Airlift } from "../airlift.ts";
import type { StartDrain, StartRequest } from "../core/start-drain.ts";
import { keepAlive } from "./keep-alive.ts";
import type { ResolvedHttpAppOptions } from "./options.ts";

/** The app as one request's jobs are enqueued to it: they kick a drain in the way that the HTTP app wants. */
export function kickedBy(c: Context, airlift: Airlift, options: ResolvedHttpAppOptions): Airlift {
  const { kick } = options;
  if (kick === undefined) return airlift;
  const start: StartDrain =
    kick === "background"
      ? (request) => keepAlive(c, drainInBackground(request, airlift, options))
      : (request) => kick(request, c);
  return { ...airlift, enqueueAll: (jobs) => airlift.enqueueAll(jobs, { kick: start }) };
}

async function drainInBackground(
  { depth }: StartRequest,
  airlift: Airlift,
  { drain, maxDrainMs, logger }: ResolvedHttpAppOptions,
): Promise<void> {
  try {
    await airlift.drain({ ...drain, depth, deadlineMs: Date.now() + maxDrainMs });
  } catch (error) {
    logger.error("HTTP: the drain after an enqueueing failed", { error });
  }
}
