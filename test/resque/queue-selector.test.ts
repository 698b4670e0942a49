import { describe, expect, test } from "vitest";
import { createQueueSelector } from "../../src/resque/queue-selector.ts";

/** Marsaglia's xorshift32, uniform in [0, 1): the same numbers in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const never = (): number => {
  throw new Error("no randomness was expected");
};

describe("a strict list", () => {
  const selector = createQueueSelector(["critical", " mail ", "low", "mail"]);

  test("is served in its own order, each queue once, without randomness", () => {
    const queues = selector.select(["low", "other"]);
    expect(queues).toEqual(["critical", "mail", "low"]);
    expect(selector.order(queues, never)).toEqual(["critical", "mail", "low"]);
  });

  test("does not depend on what is in Redis", () => {
    expect(selector.isDynamic).toBe(false);
    expect(selector.select([])).toEqual(["critical", "mail", "low"]);
  });

  test("is the label of the workers", () => {
    expect(selector.label).toBe("critical,mail,low");
  });
});

describe("weights", () => {
  test("stay out of the label", () => {
    expect(createQueueSelector(["critical=4", "mail = 2.5", "low"]).label).toBe("critical,mail,low");
  });

  test("may follow names that hold an equals sign", () => {
    expect(createQueueSelector(["a=b=2"]).label).toBe("a=b");
  });

  test("decide how often each queue comes first, χ² on 10,000 picks", () => {
    const selector = createQueueSelector(["a=5", "b=3", "c"]);
    const random = seeded(20_261_120);
    const firsts: Record<string, number> = { a: 0, b: 0, c: 0 };
    for (let pick = 0; pick < 10_000; pick++) {
      const [queue] = selector.order(["a", "b", "c"], random);
      firsts[queue as string] = (firsts[queue as string] as number) + 1;
    }
    const expected = { a: 10_000 * (5 / 9), b: 10_000 * (3 / 9), c: 10_000 / 9 };
    const chi2 = Object.entries(expected).reduce((sum, [q, e]) => sum + ((firsts[q] as number) - e) ** 2 / e, 0);
    // 2 degrees of freedom: 13.8 is exceeded by chance once in 1,000 seeds.
    expect(chi2).toBeLessThan(13.8);
  });

  test("decide over the rest without replacement, χ² on all orders", () => {
    const weights: Record<string, number> = { a: 5, b: 3, c: 1 };
    const selector = createQueueSelector(["a=5", "b=3", "c"]);
    const random = seeded(7);
    const counts = new Map<string, number>();
    for (let pick = 0; pick < 10_000; pick++) {
      const order = selector.order(["a", "b", "c"], random).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    let chi2 = 0;
    for (const order of ["abc", "acb", "bac", "bca", "cab", "cba"]) {
      const [first, second] = order as unknown as [string, string];
      const [w1, w2] = [weights[first] as number, weights[second] as number];
      const expected = 10_000 * (w1 / 9) * (w2 / (9 - w1));
      chi2 += ((counts.get(order) ?? 0) - expected) ** 2 / expected;
    }
    expect(chi2).toBeLessThan(20.5); // 5 degrees of freedom, 1 in 1,000
  });

  test("of a pattern hold for each of its queues; a name's own weight goes before", () => {
    const selector = createQueueSelector(["img-*=9", "img-a=1"]);
    const queues = selector.select(["img-a", "img-b"]);
    expect(queues).toEqual(["img-a", "img-b"]);
    const random = seeded(3);
    let firstB = 0;
    for (let pick = 0; pick < 1_000; pick++) if (selector.order(queues, random)[0] === "img-b") firstB++;
    expect(firstB).toBeGreaterThan(850);
    expect(firstB).toBeLessThan(950);
  });

  test("lose no queue and need no particular random number", () => {
    const selector = createQueueSelector(["a=1e-9", "b=1e9", "c"]);
    for (const number of [0, 0.5, 1 - 2 ** -53]) {
      expect(selector.order(["a", "b", "c"], () => number).toSorted()).toEqual(["a", "b", "c"]);
    }
  });
});

describe("patterns", () => {
  const existing = ["mail", "img-b", "img-a", "slow", "slow-2", ".hidden"];

  test.each([
    [["*"], ["img-a", "img-b", "mail", "slow", "slow-2"]],
    [["img-*"], ["img-a", "img-b"]],
    [
      ["mail", "*"],
      ["mail", "img-a", "img-b", "slow", "slow-2"],
    ],
    [
      ["*", "!slow"],
      ["img-a", "img-b", "mail", "slow-2"],
    ],
    [
      ["*", "!slow*"],
      ["img-a", "img-b", "mail"],
    ],
    [
      ["!slow*", "*"],
      ["img-a", "img-b", "mail"],
    ],
    [
      ["slow*", "img-?"],
      ["slow", "slow-2", "img-a", "img-b"],
    ],
    [["*", "!*"], []],
    [["x*"], []],
    [["mail", "slow", "!slow"], ["mail"]],
    [["img-[bc]"], ["img-b"]],
  ] as const)("%j selects %j", (specs, selected) => {
    const selector = createQueueSelector(specs);
    expect(selector.isDynamic).toBe(true);
    expect(selector.select(existing)).toEqual(selected);
  });

  test("stand in the label as they are, exclusions do not", () => {
    expect(createQueueSelector(["*=2", "img-*", "!slow"]).label).toBe("*,img-*");
  });

  test("select a queue that appears later", () => {
    const selector = createQueueSelector(["*"]);
    expect(selector.select([])).toEqual([]);
    expect(selector.select(["new"])).toEqual(["new"]);
  });

  test("leave the given list as it was", () => {
    const given = Object.freeze(["b", "a"]);
    expect(createQueueSelector(["*"]).select(given)).toEqual(["a", "b"]);
  });
});

describe("a wrong list is told by the entry that is wrong", () => {
  test.each([
    [[], /at least one queue/],
    [["!slow"], /at least one queue/],
    [[""], /expected a queue name in ""/],
    [["  "], /expected a queue name/],
    [["!"], /expected a queue name in "!"/],
    [["=2"], /expected a queue name in "=2"/],
    [["a,b"], /"a,b" holds a comma/],
    [["a\u0007b"], /control character/],
    [["a="], /weight above 0 after "=" in "a="/],
    [["a=0"], /"a=0"/],
    [["a=-1"], /"a=-1"/],
    [["a=x"], /"a=x"/],
    [["a=NaN"], /"a=NaN"/],
    [["a=Infinity"], /"a=Infinity"/],
    [["ok", "b=oops"], /"b=oops"/],
  ])("%j", (specs, message) => {
    expect(() => createQueueSelector(specs)).toThrow(message);
    expect(() => createQueueSelector(specs)).toThrow(expect.objectContaining({ name: "UsageError" }));
  });
});
