import { describe, expect, test } from "vitest";
import { toFailure } from "../../src/core/failure.ts";
import { RemoteJobError } from "../../src/core/remote-job-error.ts";

class PaymentDeclined extends Error {}
class Named extends Error {
  override name = "Billing::Declined";
}

const thrown = (error: unknown) => toFailure(error);

describe("an error", () => {
  test("is told by its class, its message and its frames", () => {
    const { exception, message, backtrace } = thrown(new TypeError("boom"));
    expect({ exception, message }).toEqual({ exception: "TypeError", message: "boom" });
    expect(backtrace[0]).toMatch(/failure\.test\.ts:\d+/);
    for (const line of backtrace) expect(line).toMatch(/^at /);
  });

  test.each([
    ["a subclass without a name", new PaymentDeclined("x"), "PaymentDeclined"],
    ["a subclass with a name", new Named("x"), "Billing::Declined"],
    ["with a name of its own", Object.assign(new Error("x"), { name: "MyError" }), "MyError"],
    ["told by another program", new RemoteJobError({ exception: "Error", message: "x", backtrace: [] }), "Error"],
    ["with an empty name", Object.assign(new Error("x"), { name: "" }), "Error"],
    ["a DOMException", new DOMException("x", "AbortError"), "AbortError"],
    ["an AggregateError", new AggregateError([new Error("a")], "x"), "AggregateError"],
    ["that is frozen", Object.freeze(new RangeError("x")), "RangeError"],
    ["of another realm", { name: "Foreign", message: "x", stack: "Foreign: x\n    at f (a.js:1:1)" }, "Foreign"],
    ["without a prototype", Object.setPrototypeOf(new Error("x"), null), "Error"],
  ])("%s", (_what, error, exception) => {
    expect(thrown(error)).toMatchObject({ exception, message: "x" });
  });

  test.each([undefined, null, 42, { not: "a text" }, ""])("whose stack is %o has no frames", (stack) => {
    expect(thrown(Object.assign(new Error("x"), { stack }))).toEqual({
      exception: "Error",
      message: "x",
      backtrace: [],
    });
  });

  test("keeps the lines of its message out of the backtrace", () => {
    const { message, backtrace } = thrown(new Error("line 1\nline 2\n  line 3"));
    expect(message).toBe("line 1\nline 2\n  line 3");
    expect(backtrace.join("\n")).not.toContain("line");
  });

  test("… those too that look like places, and only where they are its message", () => {
    const framesOf = (message: string, stack: string) => thrown(Object.assign(new Error(message), { stack })).backtrace;
    const frame = "at handler (a.js:1:1)";
    expect(framesOf("at work\n    at home", `Error: at work\n    at home\n    ${frame}`)).toEqual([frame]);
    // Changed after the stack was taken.
    expect(framesOf("handler", `Error: old\n    ${frame}\n    at b (b.js:1:1)`)).toEqual([frame, "at b (b.js:1:1)"]);
    expect(framesOf("new", `Error: old\n    ${frame}`)).toEqual([frame]);
  });

  test("is told with the frames of other engines, too", () => {
    const stack = "f@/srv/a.js:10:5\n@/srv/b.js:2:1\nsee me@host:80\nme@host\nme@host:x";
    expect(thrown(Object.assign(new Error("x"), { stack })).backtrace).toEqual(["f@/srv/a.js:10:5", "@/srv/b.js:2:1"]);
  });

  test("of what calls handlers has no frames of its own", () => {
    const stack = "Error: x\n    at performJob (perform-job.js:1:1)\n    at b (b.js:1:1)";
    expect(thrown(Object.assign(new Error("x"), { stack })).backtrace).toEqual([]);
  });

  test("of a class whose name was shortened to a letter is an Error", () => {
    expect(thrown(new (class e extends Error {})("x")).exception).toBe("Error");
    expect(thrown(new (class Ab extends Error {})("x")).exception).toBe("Ab");
  });

  test("with a backtrace that is no list has the frames of its stack", () => {
    const error = Object.assign(new Error("x"), { backtrace: "none", stack: "Error: x\n    at a (a.js:1:1)" });
    expect(thrown(error).backtrace).toEqual(["at a (a.js:1:1)"]);
  });

  test("with a message of 4,000 characters is whole", () => {
    expect(thrown(new Error("é".repeat(4_000))).message).toBe("é".repeat(4_000));
  });

  test("with a message of 10 MB is cut, and says so", () => {
    const { message, backtrace } = thrown(new Error("é".repeat(10_000_000)));
    expect(message.length).toBeLessThan(4_100);
    expect(message).toMatch(/^é{4000}… \(9996000 characters more\)$/);
    expect(backtrace.join("").length).toBeLessThan(20_000);
  });

  test("with a name of 1 MB is cut", () => {
    expect(thrown(Object.assign(new Error("x"), { name: "N".repeat(1_000_000) })).exception.length).toBeLessThan(300);
  });

  test("of a deep recursion has 40 frames at most", () => {
    const recurse = (): never => recurse();
    let error: unknown;
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 1_000;
    try {
      recurse();
    } catch (overflow) {
      error = overflow;
    }
    Error.stackTraceLimit = limit;
    const { exception, backtrace } = thrown(error);
    expect(exception).toBe("RangeError");
    expect(backtrace.length).toBeLessThanOrEqual(40);
  });
});

describe("causes", () => {
  test("follow in the backtrace", () => {
    const { message, backtrace } = thrown(
      new Error("outer", { cause: new PaymentDeclined("inner", { cause: "card" }) }),
    );
    expect(message).toBe("outer");
    const remarks = backtrace.filter((line) => line.startsWith("caused by"));
    expect(remarks).toEqual(["caused by PaymentDeclined: inner", 'caused by "card"']);
  });

  test.each([[0], [false], [""], [Number.NaN], [{ code: 1 }]])("of any kind are told: %o", (cause) => {
    expect(thrown(new Error("x", { cause })).backtrace.at(-1)).toMatch(/^caused by /);
  });

  test("may be a circle", () => {
    const a = Object.assign(new Error("a"), { stack: "" });
    a.cause = Object.assign(new Error("b", { cause: a }), { stack: "" });
    expect(thrown(a).backtrace.filter((line) => line.startsWith("caused by"))).toHaveLength(5);
  });

  test("that are none are not told", () => {
    for (const cause of [null, undefined]) {
      expect(thrown(new Error("x", { cause })).backtrace.join()).not.toContain("caused by");
    }
  });

  test("may be a long chain", () => {
    let error = new Error("0");
    for (let i = 1; i < 10_000; i++) error = new Error(String(i), { cause: error });
    expect(thrown(error)).toMatchObject({ message: "9999" });
    expect(thrown(error).backtrace.length).toBeLessThanOrEqual(40);
  });

  test("with a message of 1 MB are cut", () => {
    const { backtrace } = thrown(
      new Error("x", { cause: Object.assign(new Error("y".repeat(1_000_000)), { stack: "" }) }),
    );
    for (const line of backtrace) expect(line.length).toBeLessThan(400);
  });
});

describe("what is no error", () => {
  test.each([
    ["oops", 'the handler threw "oops"'],
    ["", 'the handler threw ""'],
    [undefined, "the handler threw undefined"],
    [null, "the handler threw null"],
    [0, "the handler threw 0"],
    [1n, "the handler threw 1"],
    [true, "the handler threw true"],
    [Symbol("s"), "the handler threw Symbol(s)"],
    [{ code: 42 }, 'the handler threw {"code":42}'],
    [["a", 1], 'the handler threw ["a",1]'],
    [Object.create(null), "the handler threw {}"],
    [{ message: "half an error" }, 'the handler threw {"message":"half an error"}'],
  ])("%o", (value, message) => {
    expect(thrown(value)).toEqual({ exception: "NonError", message, backtrace: [] });
  });

  test("a function", () => {
    expect(thrown(() => 1)).toMatchObject({ exception: "NonError", message: expect.stringContaining("=> 1") });
  });

  test("a text of 10 MB is cut", () => {
    expect(thrown("x".repeat(10_000_000)).message.length).toBeLessThan(4_100);
  });
});

describe("what cannot be read", () => {
  const hostile = (): never => {
    throw new Error("hands off");
  };
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  const handler = Object.fromEntries(Reflect.ownKeys(Reflect).map((trap) => [trap, hostile]));

  test.each([
    ["a proxy that throws whatever one does", new Proxy({}, handler)],
    ["a proxy around an error", new Proxy(new Error("x"), { get: hostile })],
    ["an error whose message throws", Object.defineProperty(new Error("x"), "message", { get: hostile })],
    ["an error whose stack throws", Object.defineProperty(new Error("x"), "stack", { get: hostile })],
    ["an error whose name is no text", Object.assign(new Error("x"), { name: { toString: hostile } })],
    [
      "an error whose message is a Symbol's object",
      Object.assign(new Error("x"), { message: { [Symbol.toPrimitive]: hostile } }),
    ],
    ["an error whose cause throws", Object.defineProperty(new Error("x"), "cause", { get: hostile })],
    ["an object that is a circle", circle],
    ["an object that has no JSON form", { n: 1n }],
    ["an object whose toJSON throws", { toJSON: hostile }],
  ])("is a failure all the same: %s", (_what, value) => {
    const { exception, message, backtrace } = thrown(value);
    expect(exception).not.toBe("");
    expect(message).not.toBe("");
    expect(backtrace).toEqual([]);
  });
});
