import { describe, expect, test } from "vitest";
import { detachedOutcome } from "../../src/core/detached-outcome.ts";
import {
  ACCEPTED,
  detach,
  discard,
  isDirective,
  readDirective,
  release,
  retry,
  UNSENT,
} from "../../src/core/directive.ts";
import type { JobAck } from "../../src/core/job-ack.ts";
import type { Outcome } from "../../src/core/outcome.ts";

const BRAND = Symbol.for("airlift.directive");
const branded = (value: object): never => Object.assign(value, { [BRAND]: true }) as never;
const dispatch = () => ACCEPTED;

describe("a directive", () => {
  test.each([
    [retry(), { kind: "retry", afterMs: undefined, reason: undefined }],
    [retry({ afterMs: 0, reason: "later" }), { kind: "retry", afterMs: 0, reason: "later" }],
    [discard(), { kind: "discard", reason: undefined }],
    [discard("gone"), { kind: "discard", reason: "gone" }],
    [release(), { kind: "release", afterMs: 1_000 }],
    [release({ afterMs: 0 }), { kind: "release", afterMs: 0 }],
    [detach({ leaseMs: 5, dispatch }), { kind: "detach", leaseMs: 5, dispatch }],
  ])("%o", (directive, expected) => {
    expect(isDirective(directive)).toBe(true);
    expect(Object.fromEntries(Object.entries(directive))).toEqual(expected);
    expect(readDirective(directive)).toEqual(directive);
  });

  test("is known by its symbol, whichever copy of the package has made it", () => {
    expect(isDirective(branded({ kind: "discard", reason: undefined }))).toBe(true);
  });

  test.each([undefined, null, 0, "retry", true, {}, [], { kind: "retry" }, () => undefined])("%o is none", (value) => {
    expect(isDirective(value)).toBe(false);
  });

  test("a proxy that does not want to be asked is none", () => {
    const refuse = (): never => {
      throw new Error("do not ask");
    };
    expect(isDirective(new Proxy({}, { has: refuse }))).toBe(false);
  });

  test("a reason may be an error, and is cut where messages are, without half a character", () => {
    expect(discard(new Error("gone") as never)).toMatchObject({ reason: "Error: gone" });
    expect(discard("x".repeat(5_000))).toMatchObject({ reason: "x".repeat(4_000) });
    expect(retry({ reason: "\ud83d" })).toMatchObject({ reason: "\ufffd" });
  });

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, "5" as never, null as never])(
    "waits of %o are refused",
    (ms) => {
      expect(() => retry({ afterMs: ms })).toThrow(
        /^retry: afterMs: expected a number of milliseconds from 0 on, got /,
      );
      expect(() => release({ afterMs: ms })).toThrow(TypeError);
      expect(() => detach({ leaseMs: ms, dispatch })).toThrow(/^detach: leaseMs: expected/);
    },
  );

  test("a wait is at most as long as that of a retry", () => {
    const longest = (release({ afterMs: 1e15 }) as { afterMs: number }).afterMs;
    expect(longest).toBeLessThan(1e15);
    expect(retry({ afterMs: 1e15 })).toMatchObject({ afterMs: longest });
  });

  test("to detach needs a lease, and who sends the job", () => {
    expect(() => detach({ dispatch } as never)).toThrow("detach: leaseMs: missing");
    expect(() => detach({ leaseMs: 5 } as never)).toThrow("detach: dispatch: expected a function");
  });

  test.each([
    [{ kind: "explode" }, /unknown kind/],
    [{}, /unknown kind/],
    [{ kind: "retry", afterMs: -1 }, /afterMs/],
    [{ kind: "detach", leaseMs: 5 }, /dispatch/],
  ])("of others' making is checked: %o", (value, message) => {
    expect(() => readDirective(branded(value))).toThrow(message);
    expect(() => readDirective(branded(value))).toThrow(TypeError);
  });
});

describe("what a dispatch tells", () => {
  const told = async (send: () => unknown, controller = new AbortController()) => {
    const log: unknown[] = [];
    const ok: Outcome = { kind: "ok" };
    const outcome = detachedOutcome(
      { kind: "detach", leaseMs: 70, dispatch: send as typeof dispatch },
      {
        ofResult: (result) => ({ ...ok, result }),
        ofError: (error) => ({ kind: "discarded", reason: String(error) }),
        onDispatched: () => void log.push("sent"),
        onEnd: (end, what) => void log.push([end.kind, what]),
      },
    );
    expect([outcome.kind, outcome.afterMs]).toEqual(["detached", 70]);
    return { ended: await outcome.dispatch({} as JobAck, { signal: controller.signal }), log };
  };
  const error = new Error("boom");
  const fail = () => Promise.reject(error);

  test("accepted: its end is told by its receiver", async () => {
    expect(await told(dispatch)).toEqual({ ended: undefined, log: ["sent"] });
  });

  test("anything else is how the job has ended, after which its uses are not heard any more", async () => {
    expect(await told(async () => 42)).toEqual({ ended: { kind: "ok", result: 42 }, log: ["sent", ["ok", 42]] });
    expect(await told(fail)).toEqual({
      ended: { kind: "discarded", reason: "Error: boom" },
      log: ["sent", ["discarded", error]],
    });
  });

  test("unsent: the job goes back", async () => {
    expect((await told(() => UNSENT)).ended).toEqual({ kind: "released" });
  });

  test("a failure after an abort says nothing: whether the job arrived, its lease will tell", async () => {
    const controller = new AbortController();
    controller.abort();
    expect(await told(fail, controller)).toEqual({ ended: undefined, log: ["sent"] });
  });
});
