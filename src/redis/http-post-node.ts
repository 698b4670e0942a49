import type { RequestOptions } from "node:http";
import { codeOf, type HttpAnswer, type HttpPoster, type HttpPostOptions, PostError } from "./http-poster.ts";

/** Servers and load balancers close idle connections, after 5 s in Node's own server; a request must not meet that. */
const MAX_IDLE_MS = 4_000;

/** Through `node:http`, with connections that are kept for the next request. */
export function createNodePoster({ url, headers, timeoutMs }: HttpPostOptions): HttpPoster {
  const { protocol, hostname, port, pathname } = new URL(url);
  // Asked for by name at run time, so that a bundle for a host without them stays free of them.
  const http = process.getBuiltinModule(protocol === "https:" ? "node:https" : "node:http");
  const agent = new http.Agent({ keepAlive: true, timeout: MAX_IDLE_MS });
  const base: RequestOptions = { protocol, hostname: hostname.replace(/^\[|\]$/g, ""), port, method: "POST", agent };
  const prefix = pathname === "/" ? "" : pathname;
  let inFlight = 0;
  let lastUsedMs = performance.now();

  const exchange = (path: string, body: string) =>
    new Promise<HttpAnswer>((resolve, reject) => {
      let isExpired = false;
      const fail = (error: unknown) => reject(new PostError(isExpired ? "timeout" : codeOf(error)));
      const request = http.request({
        ...base,
        path: `${prefix}${path}` || "/",
        headers: { ...headers, "content-length": Buffer.byteLength(body) },
      });
      const timer = setTimeout(() => {
        isExpired = true;
        request.destroy();
      }, timeoutMs);
      request.on("error", fail);
      request.once("close", () => clearTimeout(timer));
      request.once("response", (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("error", fail);
        response.once("end", () => {
          const { statusCode = 0, headers: received } = response;
          resolve({ status: statusCode, retryAfter: received["retry-after"] ?? null, text });
        });
      });
      request.end(body);
    });

  const post = async (path: string, body: string): Promise<HttpAnswer> => {
    // A frozen function wakes up with connections that were closed meanwhile, before any timer has run.
    if (inFlight === 0 && performance.now() - lastUsedMs > MAX_IDLE_MS) agent.destroy();
    inFlight += 1;
    try {
      return await exchange(path, body);
    } finally {
      inFlight -= 1;
      lastUsedMs = performance.now();
    }
  };
  return { post, close: () => agent.destroy() };
}
