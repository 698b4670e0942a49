import type { RequestOptions } from "node:http";

/** What came back, whatever its status. */
export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly text: string;
}

export interface HttpPoster {
  /**
   * Sends one POST, once, and follows no redirect. Rejects with a {@link PostError} if there is no whole answer in time.
   *
   * @param path appended to the base address
   */
  post(path: string, body: string): Promise<HttpAnswer>;
  /** Closes idle connections. */
  close(): void;
}

/** No answer. Holds a code of the network's, and nothing of the request. */
export class PostError extends Error {
  /** As `ECONNREFUSED`; `timeout` for the time limit; undefined if there is none. */
  readonly code: string | undefined;

  constructor(code: string | undefined) {
    super("no answer");
    this.code = code;
  }
}

export interface HttpPostOptions {
  /** Address of the endpoint, no slash at its end. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** Servers and load balancers close idle connections, after 5 s in Node's own server; a request must not meet that. */
const MAX_IDLE_MS = 4_000;

/**
 * Through `node:http` where that is the host's own, since its `fetch` takes more than twice the CPU: a 38 KB request with a
 * 49 KB answer costs 890-960 us with fetch and 340-390 us with node:http (Node 24, loopback). Through `fetch` elsewhere,
 * and where a proxy is asked for by environment, which fetch honours.
 */
export function createHttpPoster(options: HttpPostOptions): HttpPoster {
  return isPlainNode() ? createNodePoster(options) : createFetchPoster(options);
}

function isPlainNode(): boolean {
  const { process } = globalThis;
  if (process?.release?.name !== "node" || typeof process.getBuiltinModule !== "function") return false;
  if (isWorkerd() || "Bun" in globalThis || "Deno" in globalThis) return false;
  return !process.env["NODE_USE_ENV_PROXY"];
}

function isWorkerd(): boolean {
  return globalThis.navigator?.userAgent === "Cloudflare-Workers";
}

export function createFetchPoster({ url, headers, timeoutMs }: HttpPostOptions): HttpPoster {
  // A framework that patches fetch must not serve a claim from its cache; workerd refuses the option.
  const init: RequestInit = {
    method: "POST",
    headers,
    redirect: "manual",
    ...(isWorkerd() ? {} : { cache: "no-store" }),
  };
  const post = async (path: string, body: string): Promise<HttpAnswer> => {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(url + path, { ...init, body, signal });
      return { status: response.status, retryAfter: response.headers.get("retry-after"), text: await response.text() };
    } catch (error) {
      throw new PostError(signal.aborted ? "timeout" : codeOf(error));
    }
  };
  return { post, close: () => {} };
}

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

/** The network's code: node:http has it on the error, fetch on its cause. */
function codeOf(error: unknown): string | undefined {
  for (const holder of [error, error instanceof Error ? error.cause : undefined]) {
    if (holder instanceof Error && "code" in holder && typeof holder.code === "string") return holder.code;
  }
  return undefined;
}
