import type { HttpSend } from "./http-send.ts";

/** Through the host's `fetch`, or another function of its kind. */
export function createFetchSend(fetchIt: (url: string, init: RequestInit) => Promise<Response> = fetch): HttpSend {
  return async ({ url, ...request }) => {
    const response = await fetchIt(url.href, { method: "POST", redirect: "manual", ...request });
    const reader = response.body?.getReader();
    return {
      // Some hosts hide the status of a redirect that is not followed.
      status: response.type === "opaqueredirect" ? 302 : response.status,
      header: (name) => response.headers.get(name),
      body: read(reader),
      close: () => void reader?.cancel().catch(() => undefined),
    };
  };
}

// Not every host can iterate over a stream.
async function* read(
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) return;
    yield value as Uint8Array;
  }
}
