import type { RawReply } from "../redis/ioredis-connection.ts";

/** ES2026, in every Node that this runs on, but not yet in TypeScript's library: puts digits into JSON as they are. */
const { rawJSON } = JSON as unknown as { rawJSON(digits: string): unknown };

/** One reply as Upstash's REST API has it: `{"result":…}` or `{"error":"…"}`, not yet stringified. */
export type ReplyBody = { readonly result: unknown } | { readonly error: string };

/**
 * Texts become UTF-8 (invalid bytes U+FFFD) or, byte for byte, base64. A reply that is nothing but `OK` stays `OK` in both.
 *
 * @see https://upstash.com/docs/redis/features/restapi
 */
export function toReplyBody(reply: RawReply | undefined, isBase64: boolean): ReplyBody {
  if (reply instanceof Error) return { error: reply.message };
  if (isBase64 && reply instanceof Uint8Array && isOk(reply)) return { result: "OK" };
  return { result: toJson(reply ?? null, isBase64) };
}

function toJson(reply: RawReply, isBase64: boolean): unknown {
  if (reply instanceof Uint8Array) return toBuffer(reply).toString(isBase64 ? "base64" : "utf8");
  if (Array.isArray(reply)) return reply.map((item) => toJson(item, isBase64));
  if (typeof reply === "string") {
    const value = Number(reply);
    return Number.isSafeInteger(value) ? value : rawJSON(reply);
  }
  // An error inside an array, as a script or EXEC can return it, has no form of its own in REST.
  return reply instanceof Error ? reply.message : reply;
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isOk(bytes: Uint8Array): boolean {
  return bytes.length === 2 && bytes[0] === 0x4f && bytes[1] === 0x4b;
}
