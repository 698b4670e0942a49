import { describe, expect, test } from "vitest";
import { UsageError } from "../../src/core/errors.ts";
import { DEFAULT_HTTP_APP_OPTIONS, type HttpAppOptions, resolveHttpAppOptions } from "../../src/http/options.ts";

/** The message of the UsageError that these options cause. */
function refusal(options: unknown): string {
  try {
    resolveHttpAppOptions(options as HttpAppOptions);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).message;
  }
  throw new Error("the options were accepted");
}

test("without options nothing is open, and every limit has its default", () => {
  expect(resolveHttpAppOptions({})).toMatchObject({
    ...DEFAULT_HTTP_APP_OPTIONS,
    tokens: { enqueue: [], operate: [] },
    queues: undefined,
    classes: undefined,
  });
});

test("an option that is undefined, as an unset variable of the environment, counts as left out", () => {
  const options = { tokens: { enqueue: undefined, operate: "o" }, queues: undefined, maxDrainMs: undefined };
  expect(resolveHttpAppOptions(options)).toMatchObject({
    tokens: { enqueue: [], operate: ["o"] },
    maxDrainMs: DEFAULT_HTTP_APP_OPTIONS.maxDrainMs,
  });
});

describe("options that are wrong are named", () => {
  test.each([
    [{ token: "x" }, "token is not an option; known: tokens, queues, classes"],
    [{ constructor: 1 }, "constructor is not an option"],
    [{ tokens: { drain: "x" } }, "tokens.drain is not an option; known: enqueue, operate"],
    [{ tokens: "x" }, "tokens must be an object of tokens by role"],
    [{ queues: [] }, "queues must not be empty: leave it out to allow all"],
    [{ queues: "mail" }, "queues must be an array of names"],
    [{ classes: ["A", ""] }, "classes.1 must not be empty"],
    [{ maxBodyBytes: 0 }, "maxBodyBytes must be a whole number of bytes, at least 1, not 0"],
    [{ maxLineBytes: 1.5 }, "maxLineBytes must be a whole number of bytes, at least 1, not 1.5"],
    [{ maxDrainMs: "30s" }, 'maxDrainMs must be a whole number of milliseconds, at least 1, not "30s"'],
    [{ healthMaxAgeMs: -1 }, "healthMaxAgeMs must be a whole number of milliseconds, at least 0, not -1"],
    [{ drain: { signal: {} } }, "drain.signal must be an AbortSignal"],
    [{ drain: { deadlineMs: 1 } }, "drain.deadlineMs is not an option; known: signal, onEvent, runHandler"],
    [{ logger: {} }, "logger must be an object with the functions warn and error"],
    [null, "options must be an object"],
  ])("%j", (options, message) => expect(refusal(options)).toContain(`createHttpApp: ${message}`));

  test("all at once", () => {
    expect(refusal({ queues: [], maxDrainMs: 0 })).toMatch(/queues must .*; createHttpApp: maxDrainMs must /);
  });
});

describe("a token that no header could bear is refused, and not shown", () => {
  test.each(["", "with space", "s3cr\u00e9t", "s3cr\net"])("%j", (token) => {
    for (const tokens of [{ enqueue: token }, { operate: ["fine", token] }, { enqueue: [] }]) {
      const message = refusal({ tokens });
      expect(message).toMatch(/tokens\.(enqueue|operate)(\.1)? must be a bearer token/);
      expect(message).not.toContain("s3cr");
    }
  });
});
