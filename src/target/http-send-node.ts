import type { LookupAddress, LookupOptions } from "node:dns";
import type { IncomingMessage, RequestOptions } from "node:http";
import type { Transform } from "node:stream";
import { isPrivateAddress } from "./http-private.ts";
import { type HttpAnswer, type HttpSend, PrivateAddressError } from "./http-send.ts";

/** Servers and load balancers close idle connections, after 5 s in Node's own server; a request must not meet that. */
const MAX_IDLE_MS = 4_000;

/** Through `node:http`, with connections that are kept for the next request. */
export function createNodeSend(refusePrivateAddresses: boolean): HttpSend {
  const kept = { keepAlive: true, timeout: MAX_IDLE_MS };
  // Asked for by name at run time, so that a bundle for a host without them stays free of them.
  const http = process.getBuiltinModule("node:http");
  const https = process.getBuiltinModule("node:https");
  const agents = { "http:": new http.Agent(kept), "https:": new https.Agent(kept) };
  const base: RequestOptions = { method: "POST", ...(refusePrivateAddresses && { lookup: lookupPublic }) };
  let inFlight = 0;
  let lastUsedMs = performance.now();

  return async ({ url, body, headers, signal }) => {
    const isSecure = url.protocol === "https:";
    const agent = agents[isSecure ? "https:" : "http:"];
    // A frozen function wakes up with connections that were closed meanwhile, before any timer has run.
    if (inFlight === 0 && performance.now() - lastUsedMs > MAX_IDLE_MS) {
      for (const each of Object.values(agents)) each.destroy();
    }
    inFlight += 1;
    return await new Promise<HttpAnswer>((resolve, reject) => {
      const length = { "content-length": String(Buffer.byteLength(body)) };
      const options = { ...base, agent, signal, headers: { ...headers, ...length } };
      const request = (isSecure ? https : http).request(url, options);
      request.once("close", () => {
        inFlight -= 1;
        lastUsedMs = performance.now();
        // An answer that changes the protocol closes it, without an error.
        reject(new Error("the connection was closed"));
      });
      request.on("error", reject);
      request.once("response", (response) => resolve(toAnswer(response)));
      request.end(body);
    });
  };
}

function toAnswer(response: IncomingMessage): HttpAnswer {
  const header = (name: string): string | null => {
    const value = response.headers[name];
    return Array.isArray(value) ? value.join(", ") : (value ?? null);
  };
  const close = (): void => void response.destroy();
  return { status: response.statusCode ?? 0, header, body: decoded(response), close };
}

/** Nobody has asked for a compressed answer, but some send one. */
function decoded(response: IncomingMessage): AsyncIterable<Uint8Array> {
  // Of nothing a decoder says that it broke off.
  if (response.statusCode === 204 || response.headers["content-length"] === "0") return response;
  const { createGunzip, createInflate, createBrotliDecompress } = process.getBuiltinModule("node:zlib");
  const decoders: Readonly<Record<string, () => Transform>> = {
    gzip: createGunzip,
    deflate: createInflate,
    br: createBrotliDecompress,
  };
  const decoder = decoders[response.headers["content-encoding"]?.toLowerCase() ?? ""]?.();
  if (!decoder) return response;
  // A pipe alone does not tell the reader of its end that the source broke off.
  response.once("close", () => response.complete || decoder.destroy(new Error("the answer broke off")));
  return response.pipe(decoder);
}

type LookupCallback = (error: Error | null, found: string | LookupAddress[], family?: number) => void;

/**
 * Looks a name up once, and hands on what was checked: a server of names that answers differently when it is asked again, to lead a
 * request behind the firewall, is not asked again.
 */
function lookupPublic(hostname: string, options: LookupOptions, callback: LookupCallback): void {
  const { lookup } = process.getBuiltinModule("node:dns");
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return callback(error, []);
    const [first] = addresses;
    if (!first || addresses.some(({ address }) => isPrivateAddress(address))) {
      return callback(new PrivateAddressError("the name leads to a private address"), []);
    }
    if (options.all) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
}
