import type { HttpSend } from "./http-send.ts";
import { createFetchSend } from "./http-send-fetch.ts";

/**
 * Through `node:http` where that is the host's own: it takes less than half the CPU of its `fetch`, and lets the addresses be
 * checked that a name leads to. Through `fetch` elsewhere, and where a proxy is asked for by environment, which fetch honours;
 * a proxy would look the name up again.
 */
export function createSendHere(refusePrivateAddresses: boolean): HttpSend {
  if (!isPlainNode() || (process.env["NODE_USE_ENV_PROXY"] && !refusePrivateAddresses)) return createFetchSend();
  // What only Node can run is no part of the others' bundles, where they are split.
  let loaded: Promise<HttpSend> | undefined;
  return async (request) => {
    loaded ??= import("./http-send-node.ts").then(({ createNodeSend }) => createNodeSend(refusePrivateAddresses));
    return (await loaded)(request);
  };
}

function isPlainNode(): boolean {
  const { process } = globalThis;
  if (process?.release?.name !== "node" || typeof process.getBuiltinModule !== "function") return false;
  return !isWorkerd() && !("Bun" in globalThis) && !("Deno" in globalThis);
}

function isWorkerd(): boolean {
  return globalThis.navigator?.userAgent === "Cloudflare-Workers";
}
