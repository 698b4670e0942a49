import fc from "fast-check";
import { JOB_WRAPPER_CLASS } from "../../src/resque/active-job-wrapper.ts";
import {
  damaged,
  hostileArray,
  hostileJson,
  hostileNumber,
  hostileObject,
  hostileString,
  mostly,
  quoted,
} from "./hostile-json.ts";

/** Classes that an app should have, so that some of these payloads run. */
export const KNOWN_CLASSES = ["Job", "Retried", "Limited", "Unique", "Typed"] as const;

const ODD_CLASSES: readonly string[] = [
  ...'__proto__|constructor|toString|hasOwnProperty|valueOf|| |Job |job|Job\\|"|NaN|%s%n|Resque::Job'.split("|"),
  ..."\u001B[31mJob\u001B[0m|Job\nJob failed|\u009B2J|Job\u0000|\uD83D|Job\u202E".split("|"),
  "a".repeat(2_000),
  JOB_WRAPPER_CLASS,
];
export const hostileClass: fc.Arbitrary<string> = fc.oneof(
  quoted(...KNOWN_CLASSES),
  // A known class in other letters is among them.
  mostly(quoted(...ODD_CLASSES), fc.constantFrom('"\\u004aob"', '"J\\u006fb"'), hostileJson),
);

const POLLUTING = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';
export const hostileArgs: fc.Arbitrary<string> = mostly(
  hostileArray(mostly(hostileJson, fc.constant(POLLUTING))),
  fc.constantFrom("[]", "null"),
  hostileJson,
);

/** Ids that others use: of a unique lock, of a status, of a drain's claim. */
const IDS = [
  ..."d0123456789ab s0123456789ab p0123456789ab x.d0123456789ab ../job victim d1.1.1.0 é".split(" "),
  "a".repeat(101),
  "\n",
];
export const hostileId: fc.Arbitrary<string> = mostly(quoted(...IDS), hostileJson);
export const hostileCount: fc.Arbitrary<string> = mostly(
  fc.constantFrom(...'1 2 3 4 0 -1 1.5 9007199254740991 9007199254740992 "2" 1e0'.split(" ")),
  hostileNumber,
);

const count = fc.integer({ min: 1, max: 5 });
const id = fc.constantFrom(...IDS);
/** Airlift's own member: as Airlift writes it, but others' values in it; and as nobody should write it. */
export const hostileOwn: fc.Arbitrary<string> = fc.oneof(
  fc.record({ crashes: count, retries: count, unique: id, id }, { requiredKeys: [] }).map((own) => JSON.stringify(own)),
  hostileObject({ crashes: hostileCount, retries: hostileCount, unique: hostileId, id: hostileId }),
  hostileObject({ crashes: count.map(String), note: hostileString }),
  hostileJson,
);

/** Airlift puts its member at the end. */
function withOwn(object: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(object, hostileOwn).map(([text, own]) => `${text.slice(0, -1)},"airlift":${own}}`);
}

const serializers = "Symbol Time DateTime TimeWithZone Date Duration BigDecimal Module Range Nope".split(" ");
const activeJobArgument = mostly(
  hostileJson,
  hostileObject({
    _aj_serialized: quoted(...serializers.map((name) => `ActiveJob::Serializers::${name}Serializer`)),
    ...{ value: hostileJson, parts: hostileJson, time_zone: hostileJson, begin: hostileJson, end: hostileJson },
  }),
  hostileObject({ _aj_globalid: mostly(hostileString, quoted("gid://a/B/1", "gid:////", "gid://a/B/%")) }),
  hostileObject({ _aj_symbol_keys: hostileJson, ["__proto__"]: hostileJson }),
);
/** What Rails' adapter writes, and what it does not. */
export const hostileActiveJob: fc.Arbitrary<string> = hostileObject({
  job_class: mostly(quoted("Rails"), hostileClass),
  arguments: mostly(hostileArray(activeJobArgument), hostileArgs),
  executions: mostly(fc.constant("0"), hostileCount),
  exception_executions: hostileJson,
  enqueued_at: mostly(quoted("2026-11-20T18:50:57.000000000Z"), hostileJson),
  locale: hostileJson,
}).map((data) => `{"class":${JSON.stringify(JOB_WRAPPER_CLASS)},"args":[${data}]}`);

const members = { class: hostileClass, args: hostileArgs };
/** A payload's text. */
export const hostilePayloadText: fc.Arbitrary<string> = fc.oneof(
  hostileObject(members),
  withOwn(hostileObject(members)),
  hostileObject({ ...members, airlift: hostileOwn, queue: hostileJson }),
  mostly(hostileActiveJob, withOwn(hostileActiveJob)),
  hostileJson,
);

/** A payload's bytes. */
export const hostilePayload: fc.Arbitrary<Buffer> = damaged(hostilePayloadText);

/** A delayed item's bytes: a payload with its queue, as resque-scheduler, node-resque and nobody writes it. */
export function hostileItem(queue: string): fc.Arbitrary<Buffer> {
  const item = hostileObject({ ...members, queue: mostly(quoted(queue), hostileJson) });
  return damaged(mostly(item, withOwn(item), hostilePayloadText));
}
