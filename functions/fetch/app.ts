import { createAirlift } from "airlift";
import { createHttpApp } from "airlift/http";
import { toFetchHandler, toScheduledHandler } from "airlift/platform/fetch";
import { guardLateErrors, listenForStop } from "airlift/platform/node";
import { upstash } from "airlift/redis/upstash";
import { jobs, queues } from "./jobs.ts";

const { CRON_SECRET, ENQUEUE_TOKEN, OPERATE_TOKEN } = process.env;
const maxDurationMs = 55_000; // Drains end before the next tick.

/** A first QUIT, TERM or INT lets running jobs end, a second ends the process. */
export const { signal } = listenForStop({ onForce: (_name, status) => process.exit(status) });
const { runHandler } = guardLateErrors(console);

/** What goes on after an answer, or without one. */
const works = new Set<Promise<unknown>>();
const waitUntil = <T>(work: Promise<T>): Promise<T> => {
  works.add(work);
  void Promise.allSettled([work]).then(() => works.delete(work));
  return work;
};

const airlift = createAirlift({
  redis: upstash(), // UPSTASH_REDIS_REST_URL and _TOKEN, or KV_REST_API_URL and _TOKEN
  queues,
  jobs,
  // What is enqueued runs at once.
  kick: (_request, drain) => void waitUntil(drain({ forMs: maxDurationMs, signal })),
});
const drain = { signal, runHandler };
const api = createHttpApp(airlift, {
  tokens: { enqueue: ENQUEUE_TOKEN || undefined, operate: OPERATE_TOKEN || undefined },
  drain,
});
const cron = toFetchHandler(airlift, { secret: CRON_SECRET, maxDurationMs, waitUntil, drain });
const runTick = toScheduledHandler(airlift, { maxDurationMs, drain });

/** The HTTP API, and /cron for schedules outside. */
export const handle = (request: Request): Response | Promise<Response> =>
  new URL(request.url).pathname === "/cron" ? cron(request) : api.fetch(request);

/** For schedules inside. */
export const tick = (): Promise<void> => waitUntil(runTick());

/** When no more requests are taken and `signal` is aborted: waits for what goes on, and ends the process. */
export async function exit(): Promise<void> {
  await Promise.allSettled(works);
  await airlift.close();
  process.exit();
}
