import fc from "fast-check";
import {
  damaged,
  hostileArray,
  hostileJson,
  hostileName,
  hostileNumber,
  hostileObject,
  hostileString,
  joinMembers,
  mostly,
  quoted,
} from "./hostile-json.ts";
import { hostileCount, hostileId, hostilePayloadText } from "./hostile-payload.ts";

/** What stands in Redis beside the payloads, as others might have written it. */

/** No texts: objects that cannot be made one are among them. */
const unprintable = fc.constantFrom(
  '{"toString":null,"valueOf":null}',
  '{"toString":1}',
  "[[[]]]",
  "null",
  "9e99",
  "{}",
);
const anyText = mostly(hostileString, unprintable, hostileJson);
const anyTime = mostly(
  quoted("2026/11/20 18:50:57 UTC", "2026-11-20T18:50:57Z", "999999-99-99 99:99:99 +9999", "9999999999"),
  anyText,
);
const payload = mostly(hostilePayloadText, hostileJson);

/** An entry of a failed list. */
export const hostileFailedEntry: fc.Arbitrary<Buffer> = damaged(
  hostileObject({
    ...{ failed_at: anyTime, payload, exception: anyText, error: anyText },
    ...{ backtrace: mostly(hostileArray(anyText), anyText), worker: anyText },
    ...{ queue: mostly(quoted("q"), anyText), retried_at: anyTime },
  }),
);

/** A member of `airlift:retries`. */
export function hostileWaiting(queue: string): fc.Arbitrary<Buffer> {
  const name = mostly(quoted(queue), anyText);
  const flags = fc.constantFrom("", ',"detached":true', ',"detached":true,"limited":true', ',"limited":true');
  const ours = fc
    .tuple(hostileId, name, hostileCount, flags, hostilePayloadText)
    .map((at) => `{"id":${at[0]},"queue":${at[1]},"attempt":${at[2]}${at[3]},"payload":${at[4]}}`);
  return damaged(
    mostly(ours, hostileObject({ id: hostileId, queue: name, attempt: hostileCount, error: anyText, payload })),
  );
}

/** What a worker's key may hold: Ruby's entry, ours, anything. */
export function hostileWorkerEntry(token: string): fc.Arbitrary<Buffer> {
  const claim = mostly(quoted(token), hostileId);
  const ours = fc
    .tuple(claim, mostly(quoted("q"), anyText), anyTime, hostilePayloadText)
    .map((at) => `{"claim":${at[0]},"queue":${at[1]},"run_at":${at[2]},"payload":${at[3]}}`);
  return damaged(mostly(ours, hostileObject({ queue: anyText, run_at: anyTime, payload })));
}

/** A member of `airlift:drains`. */
export const hostileDrain: fc.Arbitrary<Buffer> = damaged(
  mostly(
    fc
      .tuple(fc.constantFrom(..."1 3 0 -1 1000000 4294967296 9007199254740991 1e9 2.5".split(" ")), anyText)
      .map(([slots, queues]) => `{"id":"dead","host":"airlift-x-dead","pid":1,"slots":${slots},"queues":${queues}}`),
    hostileObject({
      ...{ id: mostly(quoted("dead"), anyText), host: mostly(quoted("airlift-x-dead"), anyText), pid: hostileCount },
      ...{ slots: hostileCount, queues: mostly(quoted("q"), anyText) },
    }),
  ),
);

/** A JSON object whose members may be anything: a status, a check-in, the record of the last drain. */
export function hostileRecord(...names: readonly string[]): fc.Arbitrary<Buffer> {
  const odd = fc.constantFrom("8640000000000001", "-1", "1e300", '"\\u001b[2J"', '"\\u009b2J"', '{"toString":1}');
  const value = fc.oneof(anyText, hostileNumber, odd);
  const strangers = fc.array(fc.tuple(hostileName, hostileJson)).map(joinMembers);
  return damaged(mostly(hostileObject(Object.fromEntries(names.map((name) => [name, value]))), strangers, hostileJson));
}
