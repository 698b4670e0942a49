import { expect, test } from "vitest";
import { deserializeArguments, RubyRange, RubySymbol } from "../../src/active-job/active-job.ts";
import { InvalidArgumentsError } from "../../src/core/invalid-arguments.ts";

const RAILS = "ActiveJob::Serializers::";
const serialized = (serializer: string, members: object = {}): object => ({
  _aj_serialized: RAILS + serializer,
  ...members,
});

function problemOf(list: unknown): { readonly path: string | undefined; readonly message: string } {
  try {
    deserializeArguments(list);
  } catch (error) {
    if (error instanceof InvalidArgumentsError) return { path: error.path, message: error.message };
    throw error;
  }
  throw new Error("nothing was refused");
}

test.each([
  ["no list", { a: 1 }, "", "arguments: expected an array, got a value of type object"],
  ["nothing", undefined, "", "arguments: expected an array, got nothing"],
  [
    "a serializer of an app that was not given",
    [{ deep: [1, { _aj_serialized: "MoneySerializer", cents: 1 }] }],
    "[0].deep[1]",
    'arguments[0].deep[1]: the serializer "MoneySerializer" is not known: give it in `serializers`',
  ],
  [
    "a serializer that Rails has not got",
    [serialized("constructor")],
    "[0]",
    'arguments[0]: the serializer "ActiveJob::Serializers::constructor" is not known: give it in `serializers`',
  ],
  [
    "a serializer without a name",
    [{ _aj_serialized: 5 }],
    "[0]._aj_serialized",
    "arguments[0]._aj_serialized: expected a string, got a value of type number",
  ],
  [
    "a symbol without a name",
    [serialized("SymbolSerializer")],
    "[0].value",
    "arguments[0].value: expected a string, got nothing",
  ],
  [
    "a Global ID that is a list",
    [{ _aj_globalid: ["gid://a/B/1"] }],
    "[0]._aj_globalid",
    "arguments[0]._aj_globalid: expected a string, got an array",
  ],
  [
    "a Global ID that is none",
    [{ "a b": { _aj_globalid: "https://secret" } }],
    '[0]["a b"]',
    'arguments[0]["a b"]: expected a Global ID, as gid://app/Order/17',
  ],
  [
    "a Global ID without an id",
    [{ _aj_globalid: "gid://shop/Order/" }],
    "[0]",
    "arguments[0]: expected a Global ID, as gid://app/Order/17",
  ],
  [
    "a time without an offset",
    [serialized("TimeSerializer", { value: "2026-01-01T00:00:00" })],
    "[0]",
    "arguments[0]: expected a time, as 2026-07-31T22:59:58.000000000Z",
  ],
  [
    "a date that no calendar has",
    [serialized("DateSerializer", { value: "2026-13-01" })],
    "[0]",
    "arguments[0]: expected a day that is",
  ],
  [
    "a zone that is no text",
    [serialized("TimeWithZoneSerializer", { value: "2026-01-01T00:00:00Z", time_zone: {} })],
    "[0].time_zone",
    "arguments[0].time_zone: expected a string, got a value of type object",
  ],
  [
    "a decimal that is no number",
    [serialized("BigDecimalSerializer", { value: "1,5" })],
    "[0]",
    "arguments[0]: expected a decimal number",
  ],
  [
    "a duration without parts",
    [serialized("DurationSerializer", { value: 5 })],
    "[0]",
    "arguments[0]: expected parts to be an array, got null",
  ],
  [
    "a duration of parts that are none",
    [serialized("DurationSerializer", { value: 5, parts: [1] })],
    "[0]",
    "arguments[0]: expected a unit of time",
  ],
  [
    "a duration in a unit that an object inherits",
    [serialized("DurationSerializer", { value: 5, parts: [["toString", 1]] })],
    "[0]",
    "arguments[0]: expected a unit of time",
  ],
  [
    "a duration of no seconds",
    [serialized("DurationSerializer", { value: "5", parts: [] })],
    "[0]",
    "arguments[0]: seconds: expected a finite number",
  ],
  [
    "symbol keys that are no list",
    [{ a: 1, _aj_symbol_keys: "a" }],
    "[0]._aj_symbol_keys",
    "arguments[0]._aj_symbol_keys: expected a list of keys",
  ],
  [
    "keyword arguments that are no names",
    [{ a: 1, _aj_ruby2_keywords: [1] }],
    "[0]._aj_ruby2_keywords",
    "arguments[0]._aj_ruby2_keywords: expected a list of keys",
  ],
])("%s is refused with its place", (_what, list, path, message) => {
  expect(problemOf(list)).toEqual({ path, message });
});

test("a refusal quotes nothing of what was refused", () => {
  expect(problemOf([serialized("TimeSerializer", { value: "geheim\ngeheim, got geheim" })]).message).not.toContain(
    "geheim",
  );
});

test("500 levels are read, one more is refused", () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
  expect(deserializeArguments([nested(500)])).toEqual([nested(500)]);
  expect(problemOf([nested(501)]).message).toMatch(/is nested deeper than 500 levels$/);
  const inHashes = JSON.parse(`${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`);
  expect(problemOf([inHashes]).message).toMatch(/is nested deeper than 500 levels$/);
});

test("members named as those of every object make no prototype", () => {
  const [hash] = deserializeArguments([JSON.parse('{"__proto__":{"admin":true},"_aj_symbol_keys":["__proto__"]}')]) as [
    object,
  ];
  expect((hash as { admin?: unknown }).admin).toBeUndefined();
  expect(Object.getPrototypeOf(hash)).toBe(Object.prototype);
  expect(Object.keys(hash)).toEqual(["__proto__"]);
  const [range] = deserializeArguments([serialized("RangeSerializer", JSON.parse('{"__proto__":{"begin":1}}'))]);
  expect(range).toStrictEqual(new RubyRange(null, null));
});

test("marks that an object inherits are none", () => {
  const inherited = Object.create({ _aj_serialized: "X", _aj_globalid: "Y", _aj_symbol_keys: "Z" });
  expect(deserializeArguments([Object.assign(inherited, { a: 1 })])).toEqual([{ a: 1 }]);
});

test("a hash with a Global ID and more is a hash, as for Rails", () => {
  const hash = { _aj_globalid: "gid://shop/Order/1", more: serialized("SymbolSerializer", { value: "a" }) };
  expect(deserializeArguments([hash])).toEqual([{ _aj_globalid: hash._aj_globalid, more: new RubySymbol("a") }]);
});

test("a hash without marks, of a producer that is not Rails, is a hash", () => {
  expect(deserializeArguments([{ a: { b: [1] } }])).toEqual([{ a: { b: [1] } }]);
});

test("what a serializer of the app throws is thrown", () => {
  const serializers = [
    {
      name: "Own",
      deserialize: () => {
        throw new RangeError("too much");
      },
      handles: () => false,
      serialize: () => ({}),
    },
  ];
  expect(() => deserializeArguments([{ _aj_serialized: "Own" }], { serializers })).toThrow(new RangeError("too much"));
});
