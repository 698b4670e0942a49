import { UsageError } from "../core/errors.ts";
import type { StartDrain } from "../core/start-drain.ts";

export interface StartByRequestOptions {
  /** Of a route of `toCronRoute` or `toFetchHandler`, `https://…`. */
  readonly url: string;
  /** What that route asks for. */
  readonly secret: string | undefined;
}

/**
 * A `start` that asks a route to drain, for kicks, successors and siblings: the route begins another invocation of its host, with all its time.
 * The route must have a `waitUntil`, to answer before it has drained; it is asked by POST.
 *
 * @example
 * ```ts
 * import { createAirlift } from "airlift";
 * import { startByRequest } from "airlift/platform/fetch";
 * import { upstash } from "airlift/redis/upstash";
 *
 * const start = startByRequest({ url: "https://app.example.com/api/cron", secret: process.env.CRON_SECRET });
 * export const airlift = createAirlift({ redis: upstash(), queues: ["mail"], jobs: [], successor: { start } });
 * ```
 * @throws UsageError for a malformed address
 */
export function startByRequest({ url, secret }: StartByRequestOptions): StartDrain {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new UsageError("startByRequest: url: expected the https:// address of a route that drains");
  }
  return async ({ reason, depth }) => {
    if (!secret) throw new UsageError("startByRequest: secret: none is set; nobody can drain by request");
    const target = new URL(url);
    target.searchParams.set("reason", reason);
    target.searchParams.set("depth", String(depth));
    const headers = { authorization: `Bearer ${secret}`, prefer: "respond-async" };
    const { ok, status, body } = await fetch(target, { method: "POST", headers, redirect: "manual" });
    await body?.cancel();
    if (!ok) throw new Error(`the route at ${target.origin + target.pathname} answered ${status}`);
  };
}
