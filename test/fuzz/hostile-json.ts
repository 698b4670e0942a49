import fc from "fast-check";

/**
 * JSON texts that nobody should write: what parsers disagree about, what looks like Airlift's own, what terminals act on. Texts and not values, as
 * most of it is lost on the way from a value to a text. About half of them are JSON all the same.
 */

/** Half emoji, raw and escaped, byte order marks, what terminals and log files act on, what Lua and Redis might take for more than text. */
const ODD_TEXTS: readonly string[] = [
  ..."|\uFEFF|\uFFFD|\uD83D|\uDE80|🚀|é漢|e\u0301|\u2028|\u2029|\u202E|\u200B|\x7F|\x85|\x9B31m|\u00A0| ".split("|"),
  ..."%|%d|%s|%0|%1|.|..|*|**|[|[^|]|%z|(.*)|^$|'|--[[|]]|{}|$&|$1|\n|../../etc|<script>|\r\n*3\r\n$3\r\nDEL\r\n".split(
    "|",
  ),
  ...`","payload":|','airlift":{'|,"queue":"other"|"},"run_at":"`.split("|"),
];

/** Members of JavaScript's prototypes, names that Airlift and its neighbours give a meaning, and parts of them. */
const NAMES: readonly string[] = [
  ..."__proto__ constructor prototype toString valueOf toJSON then hasOwnProperty __defineGetter__ length".split(" "),
  ..."class args queue airlift crashes retries unique id payload claim run_at state kind perform job_class".split(" "),
  ..."arguments executions _aj_serialized _aj_globalid _aj_symbol_keys 0 -1 4294967295".split(" "),
  "",
];

const NUMBERS: readonly string[] = [
  ..."0 -0 1.0 1e0 1E+2 0.1 9007199254740991 9007199254740992 9007199254740993 -9007199254740993".split(" "),
  ..."12345678901234567890 1e400 -1e400 1e-400 2e308 123456789012345678901234567890.5".split(" "),
  `1${"0".repeat(400)}`,
  `0.${"0".repeat(400)}1`,
];
const NO_NUMBERS: readonly string[] = "NaN Infinity -Infinity 0x10 01 +1 1. .5 1_000 １ --1 1e".split(" ");

const escaped = fc.oneof(
  {
    arbitrary: fc.constantFrom(
      ...'\\" \\\\ \\/ \\n \\u0000 \\u001b[31m \\u009b2J \\ud83d \\ude80 \\ud83d\\ude80'.split(" "),
    ),
    weight: 12,
  },
  { arbitrary: fc.nat(0xffff).map((code) => `\\u${code.toString(16).padStart(4, "0")}`), weight: 12 },
  { arbitrary: fc.constantFrom("\\q", "\\u12", "\\x41", "\\", "\u0000", "\u001B[2J", "\t"), weight: 1 },
);
const textPart = fc.oneof(
  fc.constantFrom(...ODD_TEXTS).map((text) => JSON.stringify(text).slice(1, -1)),
  fc.string({ unit: "grapheme", maxLength: 8 }).map((text) => JSON.stringify(text).slice(1, -1)),
  escaped,
);

/** A JSON text's string, quotes included; now and then a wrong one. */
export const hostileString: fc.Arbitrary<string> = fc
  .array(textPart, { maxLength: 4 })
  .map((parts) => `"${parts.join("")}"`);

export const hostileNumber: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: fc.constantFrom(...NUMBERS), weight: 12 },
  { arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }).map(String), weight: 6 },
  { arbitrary: fc.bigInt().map(String), weight: 6 },
  { arbitrary: fc.constantFrom(...NO_NUMBERS), weight: 1 },
);

export const hostileName: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: fc.constantFrom(...NAMES).map((name) => JSON.stringify(name)), weight: 6 },
  // The same name in other letters: readers that compare bytes take it for another one.
  {
    arbitrary: fc.constantFrom('"\\u0063lass"', '"ar\\u0067s"', '"airl\\u0069ft"', '"paylo\\u0061d"', '"qu\\u0065ue"'),
    weight: 1,
  },
  { arbitrary: hostileString, weight: 1 },
);

/** What may stand between two tokens, and some of what may not. */
export const hostileBlank: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: fc.constant(""), weight: 30 },
  { arbitrary: fc.constantFrom(" ", "\n", "\r\n", "\t", "   \n  "), weight: 4 },
  { arbitrary: fc.constantFrom("\u00A0", "\uFEFF", "\v", "\f", "\u2003", "\u0000", "/**/", "//x\n"), weight: 1 },
);

const scalar = fc.oneof(
  { arbitrary: hostileString, weight: 24 },
  { arbitrary: hostileNumber, weight: 12 },
  { arbitrary: fc.constantFrom("null", "true", "false", "[]", "{}"), weight: 18 },
  { arbitrary: fc.constantFrom("", "undefined", "nil", "True", "[,]", "{,}", "}", "]"), weight: 1 },
);

/** Far deeper than what is read by functions that call themselves: Ruby reads 100 levels, Redis' cjson 1,000. */
const deep = fc
  .tuple(
    fc.constantFrom("[", '{"a":', '[{"payload":', '{"__proto__":'),
    fc.constantFrom(10, 99, 101, 999, 1_001, 5_000),
    scalar,
    fc.boolean(),
  )
  .map(([open, levels, inside, isClosed]) => {
    const close = [...open]
      .toReversed()
      .map((char) => ({ "[": "]", "{": "}" })[char] ?? "")
      .join("");
    return open.repeat(levels) + inside + (isClosed ? close.repeat(levels) : "");
  });

/** Any value. */
export const hostileJson: fc.Arbitrary<string> = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    { arbitrary: scalar, weight: 60 },
    { arbitrary: tie("array"), weight: 20 },
    { arbitrary: tie("object"), weight: 30 },
    { arbitrary: deep, weight: 3 },
  ),
  array: fc
    .array(fc.tuple(hostileBlank, tie("value")), { maxLength: 4 })
    .map((items) => `[${items.map((item) => item.join("")).join(",")}]`),
  object: fc.array(fc.tuple(hostileName, tie("value")), { maxLength: 5 }).map(joinMembers),
})).value;

type Member = readonly [name: string, value: string];

/** An object's text, of its members' written names and values. */
export function joinMembers(members: readonly Member[]): string {
  return `{${members.map(([name, value]) => `${name}:${value}`).join(",")}}`;
}

/** The first of these most of the time. */
export function mostly<T>(usual: fc.Arbitrary<T>, ...others: readonly fc.Arbitrary<T>[]): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: usual, weight: 5 }, ...others.map((arbitrary) => ({ arbitrary, weight: 1 })));
}

/** One of these texts, in quotes. */
export function quoted(...texts: readonly string[]): fc.Arbitrary<string> {
  return fc.constantFrom(...texts.map((text) => JSON.stringify(text)));
}

/** An array's text. */
export function hostileArray(items: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.array(items, { maxLength: 3 }).map((all) => `[${all.join(",")}]`);
}

/** An object's text: the members in any order, some left out, some twice with other values, strangers between them. */
export function hostileObject(members: Readonly<Record<string, fc.Arbitrary<string>>>): fc.Arbitrary<string> {
  const named = Object.entries(members).map(([name, value]) =>
    value.map((text) => [JSON.stringify(name), text] as const),
  );
  const strangers = fc.array(fc.tuple(hostileName, hostileJson), { maxLength: 2 });
  const again = fc.array(fc.oneof(...named), { maxLength: 2 });
  const own = fc.tuple(...named);
  const mixed = fc.tuple(own, again, strangers).chain((parts) => fc.shuffledSubarray(parts.flat()));
  const twice = fc.tuple(own, again).map((parts) => parts.flat());
  return mostly<readonly Member[]>(own, twice, mixed, mixed).map(joinMembers);
}

/** What happens to bytes on their way: nothing, mostly. */
type Damage = (bytes: Buffer, at: number) => Buffer;
const insert =
  (...inserted: readonly number[]): Damage =>
  (bytes, at) =>
    Buffer.concat([bytes.subarray(0, at), Buffer.of(...inserted), bytes.subarray(at)]);
const DAMAGES: readonly Damage[] = [
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at) => bytes.subarray(at),
  (bytes, at) => Buffer.concat([bytes, bytes.subarray(at)]),
  (bytes, at) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]),
  insert(0xff),
  insert(0xc0, 0xaf),
  insert(0xed, 0xa0, 0x80),
  insert(0xf4, 0x90, 0x80, 0x80),
  insert(0xe2, 0x82),
  insert(0x00),
  insert(0x1b, 0x5b, 0x32, 0x4a),
  insert(0x9b),
  insert(0xc2, 0x9b),
  insert(0x0d, 0x0a),
  (bytes) => Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), bytes]),
  (bytes) => Buffer.concat([bytes, Buffer.from(" \n\t")]),
  (bytes) => Buffer.concat([bytes, Buffer.of(0xc2, 0xa0)]),
  (bytes) => Buffer.concat([bytes, Buffer.of(0xef, 0xbb, 0xbf)]),
  (bytes) => Buffer.from(bytes.toString("utf8"), "utf16le"),
];

const unchanged: Damage = (bytes) => bytes;

/** The text's bytes; one time in six not all of them, or others among them. */
export function damaged(text: fc.Arbitrary<string | Uint8Array>): fc.Arbitrary<Buffer> {
  const damage = mostly(fc.constant(unchanged), fc.constantFrom(...DAMAGES));
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  return fc.tuple(text, damage, share).map(([given, damages, at]) => {
    const bytes = Buffer.from(given as string);
    return damages(bytes, Math.floor(at * bytes.length));
  });
}
