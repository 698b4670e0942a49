import { createAirlift } from "airlift";
import { createHttpApp } from "airlift/http";
import { toFetchHandler, toScheduledHandler } from "airlift/platform/fetch";
import { guardLateErrors, listenForStop } from "airlift/platform/node";
import { upstash } from "airlift/redis/upstash";
import { jobs, queues } from "./jobs.ts";

const { CRON_SECRET, ENQUEUE_TOKEN, OPERATE_TOKEN } = process.env;
/** Drains end before the next tick. */
const maxDurationMs = 55_000;

/** A first QUIT, TERM or INT lets running jobs end, a second ends the process. */
export const { signal } = listenForStop({ onForce: (_name, status) => process.exit(status) });
const { runHandler } = guardLateErrors(console);

/** What goes on after an answer. */
const works = new Set<Promise<unknown>>();
const waitUntil = (work: Promise<unknown>): void => {
  works.add(work);
  void work.finally(() => works.delete(work));
};

const airlift = createAirlift({
  redis: upstash(), // UPSTASH_REDIS_REST_URL and _TOKEN, or KV_REST_API_URL and _TOKEN
  queues,
  jobs,
  // What is enqueued runs at once.
  kick: (_request, drain) => waitUntil(drain({ forMs: maxDurationMs, signal })),
});
const drain = { signal, runHandler };
const api = createHttpApp(airlift, {
  tokens: { enqueue: ENQUEUE_TOKEN || undefined, operate: OPERATE_TOKEN || undefined },
  drain,
});
const cron = toFetchHandler(airlift, { secret: CRON_SECRET, maxDurationMs, waitUntil, drain });

/** The HTTP API, and /cron for schedules outside. */
export const handle = (request: Request): Response | Promise<Response> =>
  new URL(request.url).pathname === "/cron" ? cron(request) : api.fetch(request);

/** For schedules inside. */
export const tick = toScheduledHandler(airlift, { maxDurationMs, drain });

/** When no more requests are taken and `signal` is aborted: waits for what goes on, and ends the process. */
export async function exit(): Promise<void> {
  await Promise.all(works);
  await airlift.close();
  process.exit();
}
