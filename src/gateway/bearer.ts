import { hash, timingSafeEqual } from "node:crypto";
import { UsageError } from "../core/errors.ts";

/**
 * Tells whether a token is one of those allowed. The time that it takes says nothing about the allowed ones: digests of equal
 * length are compared, all of them.
 *
 * @throws UsageError if no token is given, or an empty one
 */
export function createTokenCheck(tokens: readonly string[]): (token: string | undefined) => boolean {
  if (tokens.length === 0) throw new UsageError("gateway: no token; expected at least one (nobody could call it)");
  if (tokens.some((token) => !/^[\x21-\x7e]+$/.test(token))) {
    throw new UsageError("gateway: a token is empty, or holds blanks or characters that no HTTP header can carry");
  }
  const allowed = tokens.map(digest);
  return (token) => {
    if (token === undefined || token === "") return false;
    const given = digest(token);
    let isAllowed = false;
    for (const candidate of allowed) if (timingSafeEqual(candidate, given)) isAllowed = true;
    return isAllowed;
  };
}

function digest(token: string): Buffer {
  return hash("sha256", token, "buffer");
}
