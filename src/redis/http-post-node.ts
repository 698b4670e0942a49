import type { Agent, RequestOptions } from "node:http";
import { afterReading } from "./after-reading.ts";
import { codeOf, type HttpAnswer, type HttpPoster, type HttpPostOptions, PostError } from "./http-poster.ts";

/** Servers and load balancers close idle connections, after 5 s in Node's own server; a request must not meet that. */
const MAX_IDLE_MS = 4_000;

/** Through `node:http`, with connections that are kept for the next request. */
export function createNodePoster({ url, headers, timeoutMs }: HttpPostOptions): HttpPoster {
  const { protocol, hostname, port, pathname } = new URL(url);
  // Asked for by name at run time, so that a bundle for a host without them stays free of them.
  const http = process.getBuiltinModule(protocol === "https:" ? "node:https" : "node:http");
  const agent = new http.Agent({ keepAlive: true, timeout: MAX_IDLE_MS });
  const closeStale = watchIdle(agent);
  const base: RequestOptions = { protocol, hostname: hostname.replace(/^\[|\]$/g, ""), port, method: "POST", agent };
  const prefix = pathname === "/" ? "" : pathname;

  const exchange = (path: string, body: string) =>
    new Promise<HttpAnswer>((resolve, reject) => {
      let isExpired = false;
      const fail = (error: unknown) => reject(new PostError(isExpired ? "timeout" : codeOf(error)));
      const request = http.request({
        ...base,
        path: `${prefix}${path}` || "/",
        headers: { ...headers, "content-length": Buffer.byteLength(body) },
      });
      const cancel = afterReading(timeoutMs, () => {
        isExpired = true;
        request.destroy();
      });
      request.on("error", fail);
      request.once("close", cancel);
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

  const post = (path: string, body: string): Promise<HttpAnswer> => {
    closeStale();
    return exchange(path, body);
  };
  return { post, close: () => agent.destroy() };
}

/**
 * A frozen function wakes up with connections that were closed meanwhile, before any timer has run.
 *
 * @returns closes what has been idle for too long
 */
function watchIdle(agent: Agent): () => void {
  const sinceMs = new WeakMap<object, number>();
  const keep = agent.keepSocketAlive.bind(agent);
  agent.keepSocketAlive = (socket) => {
    sinceMs.set(socket, performance.now());
    return keep(socket);
  };
  return () => {
    for (const socket of Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? [])) {
      if (performance.now() - (sinceMs.get(socket) ?? 0) > MAX_IDLE_MS) socket.destroy();
    }
  };
}
