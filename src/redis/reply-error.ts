import { StoreError, type StoreErrorOptions, type StoreErrorReason } from "../core/errors.ts";

/** Longest error text that is passed on; Redis' own texts are shorter, those of scripts may not be. */
const MAX_TEXT_LENGTH = 200;

/** Arguments from this length on are blotted out wherever an error text repeats them; shorter ones say nothing. */
const MIN_REDACTED_LENGTH = 6;

const UNAUTHORIZED = /^(WRONGPASS|NOAUTH)\b|^(ERR )?(invalid password|unauthorized|invalid token)/i;
const THROTTLED = /max (daily )?requests? limit exceeded|rate limit|too many requests/i;
const FULL = /^(OOM|MISCONF|NOREPLICAS)\b|capacity quota exceeded/;
const UNAVAILABLE = /^(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|READONLY)\b|max number of clients reached/;

/** What Redis before 7.0, and Dragonfly, put before the error of a command in a script, or of one that redis.pcall has told the script. */
const IN_SCRIPT = /^(ERR Error running script \([^)]*\): )?(@\w+: ?\d+: )+-?/;

/** Why Redis refused, read off the error text of a reply. */
export function reasonOfReply(reply: string): StoreErrorReason {
  const text = reply.replace(IN_SCRIPT, "");
  if (UNAUTHORIZED.test(text)) return "unauthorized";
  if (THROTTLED.test(text)) return "throttled";
  if (FULL.test(text)) return "full";
  if (UNAVAILABLE.test(text)) return "unavailable";
  return "rejected";
}

/** True for the error of EVALSHA that names a script the server has not loaded. */
export function isNoScript(text: string): boolean {
  return text.startsWith("NOSCRIPT");
}

/**
 * Redis' own error text without anything of the call: neither what Redis and `@upstash/redis` append of the command, nor
 * any argument that a script or the server repeats.
 */
export function redactReply(text: string, args: Iterable<string | number | Uint8Array> = []): string {
  let redacted = text.replace(/,? (with args beginning with|command was):.*$/s, "");
  for (const arg of args) {
    if (typeof arg === "string" && arg.length >= MIN_REDACTED_LENGTH && redacted.includes(arg)) {
      redacted = redacted.replaceAll(arg, "…");
    }
  }
  const line = redacted.split(/[\r\n]/, 1)[0] ?? "";
  return line.length > MAX_TEXT_LENGTH ? `${line.slice(0, MAX_TEXT_LENGTH)}…` : line;
}

/** The StoreError for an error reply. `source` names the client and its address, without credentials. */
export function replyError(
  source: string,
  text: string,
  args: Iterable<string | number | Uint8Array>,
  options: StoreErrorOptions & { readonly reason?: StoreErrorReason } = {},
): StoreError {
  const { reason = reasonOfReply(text), ...rest } = options;
  return new StoreError(reason, `${source}: ${redactReply(text, args)}`, rest);
}
