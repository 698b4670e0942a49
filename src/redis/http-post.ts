import { codeOf, type HttpAnswer, type HttpPoster, type HttpPostOptions, PostError } from "./http-poster.ts";

/**
 * Through `node:http` where that is the host's own, since its `fetch` takes more than twice the CPU: a 38 KB request with a
 * 49 KB answer costs 890-960 us with fetch and 340-390 us with node:http (Node 24, loopback). Through `fetch` elsewhere,
 * and where a proxy is asked for by environment, which fetch honours.
 */
export function createHttpPoster(options: HttpPostOptions): HttpPoster {
  return isPlainNode() ? createLazyPoster(options) : createFetchPoster(options);
}

/** What only Node can run is no part of the others' bundles, where they are split. */
function createLazyPoster(options: HttpPostOptions): HttpPoster {
  let poster: Promise<HttpPoster> | undefined;
  const load = async (): Promise<HttpPoster> => (await import("./http-post-node.ts")).createNodePoster(options);
  return {
    async post(path, body) {
      poster ??= load();
      return (await poster).post(path, body);
    },
    close: () => void poster?.then((loaded) => loaded.close()),
  };
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
