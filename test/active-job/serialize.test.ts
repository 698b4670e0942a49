import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  deserializeArguments,
  GlobalId,
  indifferentAccess,
  keywords,
  RailsDuration,
  RubyBigDecimal,
  RubyDate,
  RubyFloat,
  RubyModule,
  RubyRange,
  RubySymbol,
  RubyTime,
  serializeArguments,
  symbolKeys,
} from "../../src/active-job/active-job.ts";
import { UsageError } from "../../src/core/errors.ts";
import { parseJson, stringifyJson } from "../../src/core/json.ts";

const textOf = (...values: unknown[]): string => stringifyJson(serializeArguments(values));

describe("values", () => {
  test("a Date is a Time in UTC", () => {
    expect(textOf(new Date("2026-07-31T22:59:58.123Z"))).toBe(
      '[{"_aj_serialized":"ActiveJob::Serializers::TimeSerializer","value":"2026-07-31T22:59:58.123000000Z"}]',
    );
  });

  test("a plain hash has string keys, at each level; who wants others says so", () => {
    expect(textOf({ a: { b: 1 } })).toBe('[{"a":{"b":1,"_aj_symbol_keys":[]},"_aj_symbol_keys":[]}]');
    expect(textOf(symbolKeys({ a: { b: 1 } }))).toBe('[{"a":{"b":1,"_aj_symbol_keys":[]},"_aj_symbol_keys":["a"]}]');
    expect(textOf(keywords({ a: symbolKeys({ b: 1 }) }))).toBe(
      '[{"a":{"b":1,"_aj_symbol_keys":["b"]},"_aj_ruby2_keywords":["a"]}]',
    );
    expect(textOf(indifferentAccess({ a: 1 }))).toBe('[{"a":1,"_aj_hash_with_indifferent_access":true}]');
  });

  test("what says so leaves the object as it was", () => {
    const options = Object.freeze({ a: 1 });
    keywords(options);
    expect(textOf(options)).toBe('[{"a":1,"_aj_symbol_keys":[]}]');
  });

  test("members that are undefined are not there", () => {
    expect(textOf({ a: undefined, b: 1 })).toBe('[{"b":1,"_aj_symbol_keys":[]}]');
  });

  test("a hash from Rails keeps its kind, a copy of it does not", () => {
    const [hash] = deserializeArguments([{ a: 1, _aj_symbol_keys: ["a"] }]) as [object];
    expect(textOf(hash)).toBe('[{"a":1,"_aj_symbol_keys":["a"]}]');
    expect(textOf({ ...hash })).toBe('[{"a":1,"_aj_symbol_keys":[]}]');
    expect(Object.getOwnPropertySymbols({ ...hash })).toEqual([]);
  });

  test("a number that can only be a Float is one", () => {
    expect(textOf(2 ** 53 - 1, 2 ** 53, -0, new RubyFloat(2))).toBe(
      "[9007199254740991,9.007199254740992e+15,-0.0,2.0]",
    );
  });
});

describe("what Rails could not read is refused with its place", () => {
  class Order {}
  const circle: unknown[] = [];
  circle.push(circle);

  test.each([
    [
      "undefined",
      [undefined],
      "arguments[0]: Active Job cannot serialize undefined; give a serializer for it in `serializers`",
    ],
    [
      "a hole",
      [Object.assign([1], { 2: 2 })],
      "arguments[0][1]: Active Job cannot serialize undefined; give a serializer for it in `serializers`",
    ],
    [
      "an object of a class",
      [{ order: new Order() }],
      "arguments[0].order: Active Job cannot serialize an object of the class Order; give a serializer for it in `serializers`",
    ],
    [
      "a Map",
      [new Map()],
      "arguments[0]: Active Job cannot serialize an object of the class Map; give a serializer for it in `serializers`",
    ],
    [
      "a function",
      [() => 1],
      "arguments[0]: Active Job cannot serialize a function; give a serializer for it in `serializers`",
    ],
    ["NaN", [{ rate: Number.NaN }], "arguments[0].rate: expected a finite number, got NaN"],
    ["an invalid date", [new Date(Number.NaN)], "arguments[0]: expected a date, got an invalid one"],
    [
      "a key of Active Job's",
      [{ _aj_symbol_keys: [] }],
      'arguments[0]: the key "_aj_symbol_keys" is Active Job\'s own',
    ],
  ])("%s", (_what, values, message) => {
    expect(() => serializeArguments(values)).toThrow(new UsageError(message));
  });

  test("a circle, and all that is deeper than Ruby reads", () => {
    const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
    expect(textOf(nested(96))).toBe(JSON.stringify([nested(96)]));
    expect(() => serializeArguments([nested(97)])).toThrow(/is nested deeper than the 96 levels that Ruby reads/);
    expect(() => serializeArguments(circle)).toThrow(/is nested deeper/);
  });
});

/** Everything that survives both ways as it is. */
const key = fc.string().filter((each) => !each.startsWith("_aj_") && each !== "__proto__");
const name = fc.string({ minLength: 1 });
const timeMs = fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 });
const scalar = fc.oneof(
  fc.constantFrom(null, true, false),
  fc.string({ unit: "binary" }).map((text) => text.toWellFormed()),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Number.isSafeInteger(value) || value === 0),
  fc.bigInt().filter((value) => value > 2n ** 53n || value < -(2n ** 53n)),
  name.map((each) => new RubySymbol(each)),
  name.map((each) => new RubyModule(each)),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => new RubyBigDecimal(String(value))),
  timeMs.map((ms) => RubyTime.from(ms)),
  timeMs.map((ms) => RubyTime.from(ms, { kind: "DateTime" })),
  fc
    .tuple(timeMs, fc.constantFrom("Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"))
    .map(([ms, zone]) => RubyTime.from(ms, { zone })),
  timeMs.map((ms) => new RubyDate(new Date(ms).toISOString().slice(0, 10))),
  fc
    .dictionary(
      fc.constantFrom("seconds", "minutes", "hours", "days", "weeks", "months", "years"),
      fc.integer({ min: -1e6, max: 1e6 }),
    )
    .map((amounts) => RailsDuration.of(amounts)),
  fc
    .record({
      app: fc.constant("shop"),
      modelName: fc.constantFrom("Order", "Shop::Order"),
      modelId: fc.array(
        fc.string({ unit: "grapheme", minLength: 1 }).filter((id) => id.trim() !== ""),
        { minLength: 1, maxLength: 3 },
      ),
      params: fc.dictionary(fc.string({ minLength: 1 }), fc.string()),
    })
    .map((parts) => GlobalId.of(parts)),
);
const { value: anyValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    scalar,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
    fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }).map((hash) => symbolKeys(hash)),
    fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }).map((hash) => keywords(hash)),
    fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }).map((hash) => indifferentAccess(hash)),
    fc.tuple(scalar, scalar, fc.boolean()).map(([begin, end, excludeEnd]) => new RubyRange(begin, end, excludeEnd)),
  ),
}));

test("all values survive the way to Rails' bytes and back, and so do the bytes", () => {
  fc.assert(
    fc.property(fc.array(anyValue, { maxLength: 5 }), (values) => {
      const text = stringifyJson(serializeArguments(values));
      const back = deserializeArguments(parseJson(text));
      expect(back).toStrictEqual(values);
      expect(stringifyJson(serializeArguments(back))).toBe(text);
    }),
    { numRuns: 2_000 },
  );
});

test("any JSON is read or refused by an InvalidArgumentsError", () => {
  const marks = fc.constantFrom(
    "_aj_globalid",
    "_aj_serialized",
    "_aj_symbol_keys",
    "_aj_ruby2_keywords",
    "value",
    "parts",
    "begin",
  );
  const texts = fc.constantFrom(
    "ActiveJob::Serializers::TimeSerializer",
    "ActiveJob::Serializers::DurationSerializer",
    "gid://a/B/1",
    "a",
  );
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      fc.jsonValue({ maxDepth: 1 }),
      texts,
      fc.array(tie("json")),
      fc.dictionary(marks, tie("json"), { maxKeys: 4 }),
    ),
  }));
  let refused = 0;
  fc.assert(
    fc.property(fc.array(json), (list) => {
      try {
        deserializeArguments(list);
      } catch (error) {
        refused++;
        expect((error as Error).name).toBe("InvalidArgumentsError");
      }
      expect(Object.prototype).not.toHaveProperty("_aj_globalid");
    }),
    { numRuns: 2_000 },
  );
  expect(refused).toBeGreaterThan(100);
});
