import type { Claim } from "../core/store.ts";
import type { CallOptions, RedisClient } from "./client.ts";
import { samePayload as samePayloadScript } from "./generated/same-payload.generated.ts";

/** One request carries so many, up to three bytes each; a longer text goes alone. */
const MAX_CHARS = 1_000_000;

/**
 * Tells texts whose bytes are no UTF-8, and that are no jobs, from those that bear U+FFFD because their producers wrote it. Two commands and one request;
 * as many again for each megabyte.
 *
 * @param slotKeys the keys of all slots
 */
export async function checkTexts(
  client: RedisClient,
  claims: readonly Claim[],
  slotKeys: readonly string[],
  { usage }: Required<Pick<CallOptions, "usage">>,
): Promise<readonly Claim[]> {
  const doubtful = claims.filter(({ job }) => job.raw.includes("\uFFFD"));
  const binary = new Set<Claim>();
  for (let at = 0; at < doubtful.length; ) {
    const some: Claim[] = [];
    for (let chars = 0; at < doubtful.length; at++) {
      const claim = doubtful[at] as Claim;
      chars += claim.job.raw.length;
      if (some.length > 0 && chars > MAX_CHARS) break;
      some.push(claim);
    }
    const keys = some.map(({ slot }) => slotKeys[slot] as string);
    const call = { script: samePayloadScript, keys, args: some.map(({ job }) => job.raw) };
    const [commands, same] = (await client.script(call, { usage })) as [number, number[]];
    usage.commands += commands - 1;
    for (const [index, claim] of some.entries()) if (same[index] !== 1) binary.add(claim);
  }
  return claims.map((claim) => (binary.has(claim) ? { ...claim, job: toBinary(claim) } : claim));
}

function toBinary({ job: { raw } }: Claim): Claim["job"] {
  return { kind: "malformed", raw, reason: "not valid UTF-8", isBinary: true };
}
