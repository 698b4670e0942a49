import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { describeJsonError, parseJson, stringifyJson } from "../../src/core/json.ts";

describe("JSON", () => {
  test("is read back as it was written, integers of any size included", () => {
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        fc.constant(null),
        fc.boolean(),
        fc.string({ unit: "grapheme" }),
        fc
          .double({ noNaN: true, noDefaultInfinity: true })
          .map((n) => (Object.is(n, -0) || Math.abs(n) >= 2 ** 53 ? 0.5 : n)),
        fc.bigInt().map((n) => (n >= -(2n ** 53n - 1n) && n <= 2n ** 53n - 1n ? Number(n) : n)),
        fc.array(tie("node")),
        fc.dictionary(fc.string(), tie("node")),
      ),
    })).node;
    fc.assert(
      fc.property(value, (v) => {
        expect(parseJson(stringifyJson(v))).toEqual(v);
      }),
    );
  });

  test("with big integers is what JSON.parse makes of it, but for them", () => {
    fc.assert(
      fc.property(
        fc.json().filter((text) => !/\d{16}/.test(text)),
        (text) => {
          expect(parseJson(`[${text},9007199254740993]`)).toEqual([JSON.parse(text), 9007199254740993n]);
        },
      ),
    );
  });

  test.each([
    ["9007199254740991", 9007199254740991],
    ["-9007199254740991", -9007199254740991],
    ["9007199254740992", 9007199254740992n],
    ["-9007199254740992", -9007199254740992n],
    ["90071992547409930", 90071992547409930n],
    ["1e16", 1e16],
    ["10000000000000000.0", 1e16],
    ["0.1234567890123456789", 0.12345678901234568],
  ])("the number %s", (text, value) => {
    expect(parseJson(text)).toBe(value);
  });

  test("gives big integers as their digits where that is asked for", () => {
    const text = '[9007199254740993,-12345678901234567890,1,"9007199254740993",1e20]';
    const digits = ["9007199254740993", "-12345678901234567890"];
    expect(parseJson(text, "text")).toEqual([...digits, 1, "9007199254740993", 1e20]);
  });

  test.each([
    ["[1,", "is not valid JSON: it ends too early"],
    ["[secret]", "is not valid JSON"],
    ['{"a":1 "secret"}', "is not valid JSON (at character 8)"],
    [`[${"1,".repeat(20)}secret]`, "is not valid JSON"],
    [`[${"\n".repeat(12)}1${" ".repeat(12)}"secret"]`, "is not valid JSON (at character 27)"],
  ])("%s: what is wrong is told, and nothing of the text", (text, problem) => {
    let error: unknown;
    try {
      parseJson(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(describeJsonError(error)).toBe(problem);
  });

  test("that is nested too deeply is told as that", () => {
    expect(describeJsonError(new RangeError("Maximum call stack size exceeded"))).toBe("is nested too deeply");
  });

  test("is refused with a SyntaxError, big integers or not", () => {
    for (const text of ["", "{", "[1,]", "[12345678901234567890,]", "nope"]) {
      expect(() => parseJson(text)).toThrow(SyntaxError);
    }
  });

  test("is written with a bigint as an integer, and without what has no form", () => {
    expect(stringifyJson([1n, -12345678901234567890n, { a: undefined, b: 1 }])).toBe(
      '[1,-12345678901234567890,{"b":1}]',
    );
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY, () => 1, Symbol("x")]) {
      expect(() => stringifyJson({ here: value })).toThrow(/at "here" has no JSON form/);
    }
    expect(() => stringifyJson([1, undefined])).toThrow('undefined at "1" has no JSON form');
  });
});
