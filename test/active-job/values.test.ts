import { describe, expect, test } from "vitest";
import {
  GlobalId,
  RailsDuration,
  RubyBigDecimal,
  RubyDate,
  RubyFloat,
  RubyModule,
  RubyRange,
  RubySymbol,
  RubyTime,
} from "../../src/active-job/active-job.ts";
import { UsageError } from "../../src/core/errors.ts";

describe("a time", () => {
  test("keeps nanoseconds and offset, and gives the Date below", () => {
    const time = new RubyTime("2026-08-01T00:59:58.123999999+02:00");
    expect(time.epochNanoseconds).toBe(1_785_538_798_123_999_999n);
    expect(time.toDate()).toEqual(new Date("2026-07-31T22:59:58.123Z"));
    expect([time.offset, time.kind, time.zone, String(time)]).toEqual(["+02:00", "Time", undefined, time.iso]);
  });

  test("can be logged", () => {
    expect(JSON.stringify(new RubyTime("2026-08-01T00:59:58Z", { zone: "Etc/UTC" }))).toBe(
      '{"iso":"2026-08-01T00:59:58Z","kind":"TimeWithZone","zone":"Etc/UTC"}',
    );
  });

  test("before the epoch gives the Date below, too", () => {
    expect(new RubyTime("1969-12-31T23:59:59.999999999Z").toDate()).toEqual(new Date(-1));
    expect(new RubyTime("1969-12-31T23:59:59.999000000Z").toDate()).toEqual(new Date(-1));
    expect(new RubyTime("1969-12-31T23:59:59.998999999Z").toDate()).toEqual(new Date(-2));
  });

  test.each([
    ["0001-01-01T00:00:00.000000000Z", "0001-01-01T00:00:00.000Z"],
    ["0050-01-01T00:00:00Z", "0050-01-01T00:00:00.000Z"],
    ["-0044-03-15T00:00:00.000000000Z", "-000044-03-15T00:00:00.000Z"],
    ["12345-06-07T00:00:00.5-03:30", "+012345-06-07T03:30:00.500Z"],
    ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"],
  ])("%s is %s", (iso, date) => {
    expect(new RubyTime(iso).toDate().toISOString()).toBe(date);
  });

  test.each([
    ["", "a time"],
    ["2026-01-01", "a time"],
    ["2026-01-01T00:00:00", "a time"],
    ["2026-01-01T25:00:00Z", "a time"],
    ["2026-01-01T00:60:00Z", "a time"],
    ["2026-01-01T00:00:00.0000000001Z", "a time"],
    ["2026-00-01T00:00:00Z", "a day"],
    ["2026-01-32T00:00:00Z", "a day"],
    ["999999-01-01T00:00:00Z", "a time within"],
  ])("%j is none", (iso, expected) => {
    expect(() => new RubyTime(iso)).toThrow(UsageError);
    expect(() => new RubyTime(iso)).toThrow(new RegExp(`^expected ${expected}.*, got `));
  });

  test.each([
    [undefined, undefined, "2026-01-02T03:04:05.678000000Z", "Time", undefined],
    ["DateTime", undefined, "2026-01-02T03:04:05.678000000+00:00", "DateTime", undefined],
    [undefined, "UTC", "2026-01-02T03:04:05.678000000Z", "TimeWithZone", "Etc/UTC"],
    [undefined, "Europe/London", "2026-01-02T03:04:05.678000000+00:00", "TimeWithZone", "Europe/London"],
    [undefined, "America/St_Johns", "2026-01-01T23:34:05.678000000-03:30", "TimeWithZone", "America/St_Johns"],
    [undefined, "Asia/Kathmandu", "2026-01-02T08:49:05.678000000+05:45", "TimeWithZone", "Asia/Kathmandu"],
  ] as const)("of JavaScript's, of kind %s in the zone %s, is %s", (kind, zone, iso, ...expected) => {
    const date = new Date("2026-01-02T03:04:05.678Z");
    const time = RubyTime.from(date, { ...(kind && { kind }), ...(zone && { zone }) });
    expect([time.iso, time.kind, time.zone]).toEqual([iso, ...expected]);
    expect(time.toDate()).toEqual(date);
  });

  test("of no date, or of a zone that is none, is refused", () => {
    expect(() => RubyTime.from(Number.NaN)).toThrow('expected a date, got "NaN"');
    expect(() => RubyTime.from(0, { zone: "Europe/Atlantis" })).toThrow(/^zone: expected the name of a time zone, got/);
  });
});

test("a date is its day in UTC", () => {
  expect(new RubyDate("2026-07-31").toDate()).toEqual(new Date("2026-07-31T00:00:00Z"));
  expect(String(new RubyDate("-0044-03-15"))).toBe("-0044-03-15");
  expect(() => new RubyDate("2026-7-31")).toThrow('expected a date, as 2026-07-31, got "2026-7-31"');
});

describe("a duration", () => {
  test("is as long as Rails says", () => {
    expect(RailsDuration.of({ months: 1, days: 2, seconds: -3 }).seconds).toBe(2_802_543);
    expect(RailsDuration.of({ years: 1 }).toMs()).toBe(31_556_952_000);
    expect(RailsDuration.of({}).parts).toEqual([["seconds", 0]]);
    expect(new RailsDuration(2n ** 60n, [["seconds", 2n ** 60n]]).toMs()).toBe(2 ** 60 * 1_000);
  });

  test("is a Float as soon as one part is", () => {
    expect(RailsDuration.of({ days: 1.5 }).rubySeconds).toEqual(new RubyFloat(129_600));
    expect(RailsDuration.of({ days: 1 }).rubySeconds).toBe(86_400);
  });

  test("of what is no unit or no number is refused", () => {
    expect(() => RailsDuration.of({ fortnights: 1 } as never)).toThrow("expected a unit of time, got fortnights");
    expect(() => RailsDuration.of({ days: Number.NaN })).toThrow("expected a finite number, got NaN");
  });
});

describe("a Global ID", () => {
  test("tells its parts", () => {
    const id = new GlobalId("gid://shop/Shop::Account/Z%C3%BCrich%3F+x?shard=eu+west&shard=us&tier=a%26b");
    expect({ ...id }).toEqual({
      gid: String(id),
      app: "shop",
      modelName: "Shop::Account",
      modelId: "Zürich? x",
      params: { shard: "us", tier: "a&b" },
    });
  });

  test("may have an id of several parts, and one that is wrongly escaped", () => {
    expect(new GlobalId("gid://shop/Order/12/a%2Fb//").modelId).toEqual(["12", "a/b"]);
    expect(new GlobalId("gid://shop/Order/100%&=").modelId).toBe("100%&=");
    expect(GlobalId.of({ app: "shop", modelName: "Order", modelId: [1, 2n] }).gid).toBe("gid://shop/Order/1/2");
  });

  test.each([
    "",
    "gid://",
    "gid://shop",
    "gid://shop/Order",
    "gid://shop//1",
    "gid://shop/Order/",
    "http://a/B/1",
    "gid://a/B/1#x",
  ])("%j is none", (gid) => {
    expect(() => new GlobalId(gid)).toThrow(
      new UsageError(`expected a Global ID, as gid://app/Order/17, got ${JSON.stringify(gid)}`),
    );
  });

  test("of an empty part is none", () => {
    expect(() => GlobalId.of({ app: "shop", modelName: "Order", modelId: "" })).toThrow(UsageError);
    expect(() => GlobalId.of({ app: "", modelName: "Order", modelId: 1 })).toThrow(UsageError);
    expect(() => GlobalId.of({ app: "shop", modelName: "Order", modelId: [] })).toThrow(UsageError);
  });
});

test("a decimal keeps its digits", () => {
  expect(new RubyBigDecimal("-12345678901234567890.50").toString()).toBe("-12345678901234567890.50");
  expect(new RubyBigDecimal("0.15e1").toNumber()).toBe(1.5);
  expect(new RubyBigDecimal("-Infinity").toNumber()).toBe(Number.NEGATIVE_INFINITY);
  for (const text of ["", "1.", ".5", "0x1", "1 ", "nan"]) expect(() => new RubyBigDecimal(text)).toThrow(UsageError);
});

test("a Float is written as Ruby writes it", () => {
  const texts = [0, -0, 1, -2.5, 1e-4, 1.25e-5, 1e-10, 999_999_999_999_999, 1e15, 1.5e300].map(
    (n) => `${new RubyFloat(n)}`,
  );
  expect(texts.join(" ")).toBe("0.0 -0.0 1.0 -2.5 0.0001 1.25e-05 1.0e-10 999999999999999.0 1.0e+15 1.5e+300");
  expect(() => new RubyFloat(Number.POSITIVE_INFINITY)).toThrow(UsageError);
});

test("symbols, modules and ranges read like Ruby's", () => {
  expect(`${new RubySymbol("pdf")} ${new RubyModule("Shop::Order")}`).toBe("pdf Shop::Order");
  expect(`${new RubyRange(1, 5)} ${new RubyRange("a", "z", true)} ${new RubyRange(1, null)}`).toBe("1..5 a...z 1..");
});
