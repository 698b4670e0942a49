import { describe, expect, test } from "vitest";
import { isDirective } from "../../src/core/directive.ts";
import { toFailure } from "../../src/core/failure.ts";
import type { JobContext } from "../../src/core/job-context.ts";
import {
  encodeJobMessage,
  readJobBatchReply,
  readJobReply,
  toJobBatchMessage,
  toJobMessage,
  wantsAck,
} from "../../src/core/job-message.ts";
import { isFinal, retryAfterMs } from "../../src/core/retry.ts";

const context = (rest: Partial<JobContext> = {}): JobContext => {
  const raw = '{"class":"A","args":[1.0]}';
  return {
    ...{ queue: "q", class: "A", args: [1], raw, attempt: 2, retries: 1, deadlineMs: 5_000 },
    ...rest,
  } as JobContext;
};
const sent = { queue: "q", class: "A", args: [1], payload: '{"class":"A","args":[1.0]}', attempt: 2, retries: 1 };
/** What reading a reply throws. */
const thrownBy = (read: () => unknown): unknown => {
  try {
    read();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
};
const reply = (outcome: unknown): unknown => ({ airlift: 1, outcome });

describe("a message", () => {
  test("bears the job as it is seen here, and its payload's exact text", () => {
    expect(toJobMessage(context())).toEqual({ airlift: 1, job: sent, deadlineMs: 5_000 });
    expect(toJobMessage(context(), { head: "x" })).toEqual({
      ...{ airlift: 1, job: sent, deadlineMs: 5_000 },
      ack: { head: "x" },
    });
  });

  test("of a batch names each job, and ends when the first of them does", () => {
    const jobs = [{ job: context() }, { job: context({ deadlineMs: 4_000 }), ack: { head: "x" } }];
    expect(toJobBatchMessage(jobs)).toEqual({
      airlift: 1,
      jobs: [
        { id: "0", ...sent },
        { id: "1", ...sent, ack: { head: "x" } },
      ],
      deadlineMs: 4_000,
    });
  });

  test("keeps the digits of large integers as JSON", () => {
    const text = encodeJobMessage(toJobMessage(context({ args: [12345678901234567890n] })));
    expect(text).toContain('"args":[12345678901234567890]');
  });
});

describe("a reply", () => {
  test("of a receiver that is not Airlift's is the job's result, whatever it is", () => {
    for (const value of [
      undefined,
      null,
      0,
      "done",
      [],
      {},
      { airlift: 2, outcome: { kind: "failed" } },
      { outcome: 1 },
    ])
      expect(readJobReply(value)).toBe(value);
  });

  test("tells a result", () => {
    expect(readJobReply(reply({ kind: "ok", result: { pages: 3 } }))).toEqual({ pages: 3 });
    expect(readJobReply(reply({ kind: "ok" }))).toBeUndefined();
  });

  test.each([
    [
      { kind: "retry", afterMs: 7, reason: "r" },
      { kind: "retry", afterMs: 7, reason: "r" },
    ],
    [
      { kind: "retry", afterMs: 0 },
      { kind: "retry", afterMs: 0 },
    ],
    [
      { kind: "retry", afterMs: -1, reason: 5 },
      { kind: "retry", afterMs: undefined, reason: undefined },
    ],
    [
      { kind: "discard", reason: "r" },
      { kind: "discard", reason: "r" },
    ],
    [
      { kind: "release", afterMs: 7 },
      { kind: "release", afterMs: 7 },
    ],
    [{ kind: "release" }, { kind: "release", afterMs: 1_000 }],
  ])("of %j is that directive", (outcome, expected) => {
    const directive = readJobReply(reply(outcome));
    expect(isDirective(directive)).toBe(true);
    expect(directive).toEqual(expected);
  });

  test("of a failure is thrown, and written down as it was told", () => {
    const failure = {
      exception: "Acme::Error",
      message: "no",
      backtrace: ["app/a.rb:3:in `run'", '  File "a.py", line 3'],
    };
    const error = thrownBy(() => readJobReply(reply({ kind: "failed", failure, retryAfterMs: 9_000, isFinal: true })));
    expect(toFailure(error)).toEqual(failure);
    expect(retryAfterMs({ error, nowMs: 0 })).toBe(9_000);
    expect(isFinal(error)).toBe(true);
    expect(error).toBeInstanceOf(Error);
  });

  test("of a failure that asks for nothing is retried as the class says", () => {
    const error = thrownBy(() => readJobReply(reply({ kind: "failed", failure: { exception: "E", message: "m" } })));
    expect(toFailure(error)).toEqual({ exception: "E", message: "m", backtrace: [] });
    expect([retryAfterMs({ error, nowMs: 0 }), isFinal(error)]).toEqual([0, false]);
  });

  test("of a failure without a form is a failure all the same", () => {
    for (const failure of [undefined, null, 7, { exception: 1, message: {}, backtrace: "x" }]) {
      const error = thrownBy(() => readJobReply(reply({ kind: "failed", failure })));
      expect(toFailure(error)).toEqual({ exception: "Error", message: "", backtrace: [] });
    }
  });

  test("of a failure keeps what of it has a form", () => {
    const failure = { exception: "", message: "no", backtrace: ["a.rb:1", 7, null, "b.rb:2"] };
    const error = thrownBy(() => readJobReply(reply({ kind: "failed", failure })));
    expect(toFailure(error)).toEqual({ exception: "Error", message: "no", backtrace: ["a.rb:1", "b.rb:2"] });
  });

  test.each([undefined, null, 7, {}, { kind: "detached" }, { kind: 1 }])(
    "that does not tell the outcome, but %j, is a failure",
    (outcome) => {
      expect(toFailure(thrownBy(() => readJobReply(reply(outcome)))).exception).toBe("InvalidReply");
    },
  );
});

describe("a batch's reply", () => {
  const endings = (value: unknown, count = 2): unknown[] =>
    readJobBatchReply(value, count).map((ending) => {
      try {
        return ending();
      } catch (error) {
        return toFailure(error).exception;
      }
    });

  test("tells each job's outcome by its id", () => {
    const outcomes = { 1: { kind: "ok", result: 7 }, 0: { kind: "failed", failure: { exception: "E", message: "" } } };
    expect(endings({ airlift: 1, outcomes, batchItemFailures: [] })).toEqual(["E", 7]);
  });

  test("that leaves one out fails that one, whatever stands in every object", () => {
    expect(endings({ airlift: 1, outcomes: { 0: { kind: "ok" } } })).toEqual([undefined, "InvalidReply"]);
    expect(endings({ airlift: 1, outcomes: null })).toEqual(["InvalidReply", "InvalidReply"]);
  });

  test("of another receiver names those that failed", () => {
    expect(endings({ batchItemFailures: [{ itemIdentifier: "1" }] })).toEqual([undefined, "BatchItemFailure"]);
  });

  test("of another receiver that says nothing of failures: all are done", () => {
    for (const value of [undefined, null, "", 7, [], {}, { batchItemFailures: null }]) {
      expect(endings(value)).toEqual([undefined, undefined]);
    }
  });

  test.each([[{ itemIdentifier: "2" }], [{ itemIdentifier: 0 }], [{}], [null], ["0"]])(
    "of another receiver that names %j, which was not sent, fails all",
    (failure) => {
      const all = ["BatchItemFailure", "BatchItemFailure"];
      expect(endings({ batchItemFailures: [failure] })).toEqual(all);
      expect(endings({ batchItemFailures: [{ itemIdentifier: "0" }, failure] })).toEqual(all);
    },
  );
});

test.each([
  [{ ...sent, ack: {} }, true],
  [{ jobs: [sent, { ...sent, ack: {} }] }, true],
  [sent, false],
  [{ jobs: [sent, null] }, false],
  [{ jobs: [] }, false],
  [{ jobs: "ack" }, false],
  [undefined, false],
  [null, false],
])("%j wants to be acknowledged: %s", (message, wants) => {
  expect(wantsAck(message)).toBe(wants);
});
