import {
  GlobalId,
  RailsDuration,
  RubyBigDecimal,
  RubyDate,
  RubyModule,
  RubyRange,
  RubySymbol,
  RubyTime,
} from "../../src/active-job/active-job.ts";
import { Money, type Version } from "./fixtures.ts";

const symbol = (name: string): RubySymbol => new RubySymbol(name);
const zoned = (iso: string, zone?: string): RubyTime =>
  new RubyTime(iso, { kind: "TimeWithZone", ...(zone !== undefined && { zone }) });
const dateTime = (iso: string): RubyTime => new RubyTime(iso, { kind: "DateTime" });
const person = (id: number): GlobalId => GlobalId.of({ app: "shop", modelName: "Person", modelId: id });
const flaky = [2, "<b>", person(1), { deep: { list: [1.5] } }];

/** What the handler gets for each payload of fixtures/. */
export const EXPECTED_VALUES: Readonly<Record<string, readonly unknown[]>> = {
  none: [],
  scalars: [null, true, false, "", "text", 0, 1, -1],
  strings: ["<a href='x'>&amp;</a>", "Zürich 🚆", "\u2028\u2029", '"\\/\b\f\n\r\t\u0000\u001f\u007f'],
  integers: [2 ** 53 - 1, 2n ** 53n, -(2n ** 63n), 10n ** 30n],
  floats: [1.5, -0.25, 0.1, 123456789.123, 0.0001],
  "whole floats": [1, -0, 1e15],
  "huge floats": [1e16, 1e20, 1.5e21, Number.MAX_VALUE],
  "tiny floats": [1e-5, 1.5e-7, 2.2250738585072014e-308],
  arrays: [[], [1, [2, ["three", null]]]],
  "string keys": [[{ a: 1, b: { c: [] } }]],
  "symbol keys": [[{ a: 1, b: { c: [{ d: 2 }] } }]],
  "mixed keys": [[{ a: 1, b: 2, c: 3, d: 4 }]],
  "empty hashes": [{}, [{}]],
  "odd keys": [JSON.parse('{"__proto__":1,"constructor":{"prototype":2},"toString":3,"":4}')],
  "keyword arguments": [1, { format: "pdf", copies: 2 }],
  "nested keyword arguments": [person(1), { options: { deep: { deeper: symbol("yes") } }, list: [{ a: 1 }] }],
  "indifferent access": [{ a: 1, b: { c: 2 } }],
  symbols: [symbol("pdf"), symbol("with space"), symbol("Zürich"), [symbol("a"), { b: symbol("c") }]],
  durations: [
    RailsDuration.of({ minutes: 5 }),
    RailsDuration.of({}),
    RailsDuration.of({ hours: -2 }),
    RailsDuration.of({ months: 1, days: 2, seconds: -3 }),
    RailsDuration.of({ days: 1, hours: 3, minutes: 46, seconds: 40 }),
  ],
  "fractional durations": [RailsDuration.of({ days: 1.5 }), RailsDuration.of({ seconds: 2.5 })],
  times: [
    new RubyTime("2026-07-31T22:59:58.123456789Z"),
    new RubyTime("2000-01-01T00:00:00.000000000Z"),
    RubyTime.from(0),
    new RubyTime("2026-03-01T12:30:15.000000000+05:30"),
    new RubyTime("2026-03-01T12:00:00.000000000-03:00"),
  ],
  "distant times": [
    RubyTime.from(new Date("0001-01-01")),
    RubyTime.from(new Date("+012345-06-07")),
    RubyTime.from(new Date("-000044-03-15")),
  ],
  "date times": [dateTime("2026-07-31T22:59:58.500000000+00:00"), dateTime("2026-07-31T22:59:58.000000000+02:00")],
  dates: ["2026-07-31", "2024-02-29", "-0044-03-15", "12345-06-07"].map((iso) => new RubyDate(iso)),
  "times with zone": [
    zoned("2026-08-01T00:59:58.123456789+02:00", "Europe/Berlin"),
    zoned("2026-07-31T18:59:58.123456789-04:00", "America/New_York"),
    zoned("2026-07-31T22:59:58.123456789Z", "Etc/UTC"),
    zoned("2026-08-01T04:29:58.123456789+05:30", "Asia/Kolkata"),
  ],
  modules: ["String", "Shop::Order", "Comparable"].map((name) => new RubyModule(name)),
  ranges: [new RubyRange(1, 5), new RubyRange(1, 5, true), new RubyRange("a", "z"), new RubyRange(0.5, 1.5)],
  "endless ranges": [new RubyRange(1, null), new RubyRange(null, 5), new RubyRange(null, null)],
  "ranges of objects": [
    new RubyRange(new RubyDate("2026-01-01"), new RubyDate("2026-01-31")),
    new RubyRange(new RubyTime("2026-07-31T22:59:58.123456789Z"), new RubyTime("2026-07-31T22:59:59.123456789Z"), true),
    new RubyRange(symbol("a"), symbol("z")),
    new RubyRange(RailsDuration.of({ days: 1 }), RailsDuration.of({ days: 2 })),
  ],
  "big decimals": ["1.5", "-12345678901234567890.123456789", "0.000000000000000000000000000001", "100.0"].map(
    (text) => new RubyBigDecimal(text),
  ),
  "big decimals that are none": ["NaN", "Infinity", "-Infinity"].map((text) => new RubyBigDecimal(text)),
  "global ids": [
    person(5),
    GlobalId.of({ app: "shop", modelName: "Shop::Order", modelId: "f81d4fae-7dec-11d0-a765-00a0c91e6bf6" }),
    [person(6)],
    { person: person(7) },
  ],
  "odd global ids": [
    GlobalId.of({ app: "shop", modelName: "Shop::Order", modelId: [12, "a b/c"] }),
    GlobalId.of({
      app: "shop",
      modelName: "Shop::Account",
      modelId: "Zürich?&#",
      params: { shard: "eu west", tier: "a&b" },
    }),
    GlobalId.of({ app: "shop", modelName: "Person", modelId: "a+b" }),
  ],
  "a serializer of the app": [new Money(1999, symbol("eur"))],
  "a queue and a priority": [1],
  "a delay": [1],
  "an instant": [symbol("a")],
  "a locale and a zone": [zoned("1970-01-01T01:00:00.000000000+01:00", "Europe/Berlin")],
  "members of the app": ["x"],
  "before a retry": flaky,
  "the first retry": flaky,
  "the second retry": flaky,
  "the third retry": flaky,
  "a continuation": ["file.csv"],
};

/** What older versions cannot say. */
const EXCEPTIONS: Readonly<Partial<Record<Version, Readonly<Record<string, readonly unknown[]>>>>> = {
  "7.0": {
    "times with zone": (EXPECTED_VALUES["times with zone"] as RubyTime[]).map(({ iso }) => zoned(iso)),
    "a locale and a zone": [zoned("1970-01-01T01:00:00.000000000+01:00")],
    "big decimals": (EXPECTED_VALUES["big decimals"] as RubyBigDecimal[]).map(String),
    "big decimals that are none": [null, null, null],
  },
};

export function expectedValues(version: Version, name: string): readonly unknown[] | undefined {
  return EXCEPTIONS[version]?.[name] ?? EXPECTED_VALUES[name];
}
