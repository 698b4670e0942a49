import { describe, expect, test } from "vitest";
import { activeJobRetry } from "../../src/active-job/active-job.ts";
import { UsageError } from "../../src/core/errors.ts";
import { encodePayload } from "../../src/resque/payload.ts";
import { type Fixture, readFixture, VERSIONS } from "./fixtures.ts";

const NOW_MS = 1_795_000_000_255;
const encode = ({ class: className, args = [] }: ReturnType<typeof activeJobRetry>): string =>
  encodePayload(className, args);
/** A payload whose `enqueued_at` is to the millisecond, which Rails 7.0 has not. */
const toMs = ({ raw }: Fixture): string => raw.replace(/:40Z"/, ':40.255000000Z"');

describe.each(VERSIONS)("a job of Rails %s that is enqueued once more", (version) => {
  const [before, first, second, third] = [
    "before a retry",
    "the first retry",
    "the second retry",
    "the third retry",
  ].map((name) => readFixture(version, name)) as [Fixture, Fixture, Fixture, Fixture];
  const io = { exceptions: "[IOError, ArgumentError]", at: NOW_MS, nowMs: NOW_MS };

  test("has the bytes that Rails' own retry gives it", () => {
    expect(encode(activeJobRetry({ raw: before.raw, queue: "flaky" }, io))).toBe(toMs(first));
    expect(encode(activeJobRetry({ raw: first.raw, queue: "flaky" }, io))).toBe(toMs(second));
    const request = activeJobRetry(
      { raw: second.raw, queue: "flaky" },
      { ...io, exceptions: "[KeyError]", at: NOW_MS + 90_000 },
    );
    expect(encode(request)).toBe(toMs(third).replace(/,"queue":"flaky"\}$/, "}"));
    expect(request).toMatchObject({ queue: "flaky", at: NOW_MS + 90_000 });
  });

  test("may go to another queue, at once, and counted only in executions", () => {
    const request = activeJobRetry({ raw: second.raw, queue: "flaky" }, { queue: "slow", priority: 5, nowMs: NOW_MS });
    expect(request.queue).toBe("slow");
    expect("at" in request).toBe(false);
    expect(JSON.parse(encode(request)).args[0]).toMatchObject({
      queue_name: "slow",
      priority: 5,
      executions: 3,
      exception_executions: { "[IOError, ArgumentError]": 2 },
      ...(version !== "7.0" && { scheduled_at: null }),
    });
  });
});

test("members of the app's own and of Rails' continuations are kept, those of Airlift are not", () => {
  const { raw } = readFixture("8.1", "a continuation");
  const bearing = raw.replace(/,"queue":"default"\}$/, ',"airlift":{"retries":2}}');
  const text = encode(activeJobRetry({ raw: bearing, queue: "default" }, { nowMs: NOW_MS }));
  expect(text).toContain('"executions":2,"exception_executions":{"stopping":1}');
  expect(text).toMatch(
    /"continuation":\{"completed":\["validate"\],"current":\["import",42\]\},"resumptions":0\}\]\}$/,
  );
});

test("a job that is none of Active Job's is refused", () => {
  for (const raw of ['{"class":"Noop","args":[1]}', '{"class":"Noop"}', "[]"]) {
    expect(() => activeJobRetry({ raw, queue: "q" })).toThrow(new UsageError("activeJobRetry: expected an Active Job"));
  }
});
