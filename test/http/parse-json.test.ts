import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeUtf8, parseExactJson } from "../../src/http/parse-json.ts";

/** What becomes of a text that is read and written again. */
function rewrite(text: string): string {
  const parsed = parseExactJson(text);
  return parsed.kind === "value" ? JSON.stringify(parsed.value) : `invalid: ${parsed.message}`;
}

describe("a number is written again as it was", () => {
  test.each([
    "12345678901234567890",
    "-9007199254740993",
    "1.0",
    "-0",
    "-0.0",
    "1e400",
    "1E5",
    "0.10",
    "1e-7",
    "1.5",
    "0",
  ])("%s", (number) => expect(rewrite(`[{"a":[${number}]}]`)).toBe(`[{"a":[${number}]}]`));

  test("whatever number it is", async () => {
    const digits = fc.stringMatching(/^-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?$/);
    await fc.assert(
      fc.property(digits, (number) => {
        expect(rewrite(`[${number}]`)).toBe(`[${number}]`);
      }),
    );
  });
});

test("any other JSON is read as JSON.parse reads it, beside long numbers too", async () => {
  await fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      expect(rewrite(text)).toBe(text);
      expect(rewrite(`[${text},12345678901234567890]`)).toBe(`[${text},12345678901234567890]`);
    }),
  );
});

describe("a text that is not JSON is refused, saying where but quoting nothing", () => {
  test.each([
    ["", "is not valid JSON: it ends too early"],
    ['{"class":"secret"', "is not valid JSON (at character 18)"],
    ["secret", "is not valid JSON"],
    ['{"class":"X"} secret', "is not valid JSON (at character 15)"],
    ['[12345678901234567890, "secret"', "is not valid JSON (at character 32)"],
  ])("%j", (text, message) => expect(parseExactJson(text)).toEqual({ kind: "invalid", message }));

  test("nested beyond what the engine can walk", () => {
    const text = `${"[".repeat(50_000)}1.0${"]".repeat(50_000)}`;
    expect(parseExactJson(text)).toEqual({ kind: "invalid", message: "is nested too deeply" });
  });
});

test("bytes that are not UTF-8 are no text", () => {
  expect(decodeUtf8(Uint8Array.of(0x22, 0xff, 0x22))).toBeUndefined();
  expect(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d))).toBe("{}");
});
