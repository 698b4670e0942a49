import { describe, expect, test } from "vitest";
import { compileFnmatch } from "../../src/resque/fnmatch.ts";

/** Answers of Ruby's `File.fnmatch(pattern, name)`, without flags. */
const YES = [
  ["mail", "mail"],
  ["*", "mail"],
  ["*", ""],
  ["*", "a/b"],
  ["**", "mail"],
  ["img-*", "img-"],
  ["img-*", "img-small"],
  ["*-slow", "img-slow"],
  ["*a*b*", "xxaxxbxx"],
  ["ma?l", "mail"],
  ["?", "é"],
  ["?", "🚀"],
  ["m[aeiou]il", "mail"],
  ["m[!eiou]il", "mail"],
  ["m[^eiou]il", "mail"],
  ["m[a-c]il", "mbil"],
  ["m[a-]il", "m-il"],
  ["m[.]il", "m.il"],
  ["[[]x", "[x"],
  ["[\\]]", "]"],
  ["m[\\-]l", "m-l"],
  ["q[é-ü]", "qö"],
  ["{a,b}", "{a,b}"],
  ["a.b", "a.b"],
  ["a+b(c)|d$^", "a+b(c)|d$^"],
  ["a\\*b", "a*b"],
  ["a\\?", "a?"],
  ["a\\b", "ab"],
  [".hidden", ".hidden"],
  [".*", ".hidden"],
  ["\\.*", ".hidden"],
  ["a*", "a.b"],
  ["a*", "a\nb"],
  ["a:b*", "a:b:c"],
  ["a-b_c=d,e", "a-b_c=d,e"],
] as const;

const NO = [
  ["mail", "mails"],
  ["mail", "email"],
  ["mail", "Mail"],
  ["", "x"],
  ["img-*", "img"],
  ["img-*", "ximg-a"],
  ["ma?l", "mal"],
  ["ma?l", "maiil"],
  ["?", ""],
  ["m[!a]il", "mail"],
  ["m[a-c]il", "mdil"],
  ["m[ai]il", "m[il"],
  ["{a,b}", "a"],
  ["a.b", "axb"],
  ["a\\*b", "axb"],
  ["*", ".hidden"],
  ["?hidden", ".hidden"],
  ["[.]hidden", ".hidden"],
  ["*.hidden", ".hidden"],
] as const;

describe("a pattern matches as Ruby's File.fnmatch does", () => {
  test.each(YES)("%j matches %j", (pattern, name) => {
    expect(compileFnmatch(pattern)(name)).toBe(true);
  });
  test.each(NO)("%j does not match %j", (pattern, name) => {
    expect(compileFnmatch(pattern)(name)).toBe(false);
  });
  test("every printable character stands for itself, unless it is special", () => {
    for (let code = 0x20; code < 0x7f; code++) {
      const char = String.fromCharCode(code);
      if ("*?[\\".includes(char)) continue;
      const matches = compileFnmatch(`a${char}b`);
      expect([char, matches(`a${char}b`), matches("a_b")]).toEqual([char, true, char === "_"]);
    }
  });
  test.each(["[z-a]", "[a"])("%j matches nothing, and is no error", (pattern) => {
    expect(["a", "m", "z", "[a", "[z-a]"].filter(compileFnmatch(pattern))).toEqual([]);
  });
});
