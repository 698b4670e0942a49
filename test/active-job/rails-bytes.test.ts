import { describe, expect, test } from "vitest";
import {
  activeJobRequest,
  deserializeArguments,
  keywords,
  RubyFloat,
  serializeArguments,
} from "../../src/active-job/active-job.ts";
import { stringifyJson } from "../../src/core/json.ts";
import { encodePayload } from "../../src/resque/payload.ts";
import { EXPECTED_VALUES, expectedValues } from "./expected-values.ts";
import { type Fixture, moneySerializer, readFixture, readFixtures, VERSIONS } from "./fixtures.ts";

const serializers = [moneySerializer];
const values = ({ data }: Fixture): unknown[] => deserializeArguments(data["arguments"], { serializers });

/** The text of `arguments` in a payload. */
const argumentsText = (raw: string): string => /"arguments":(.*),"executions":/.exec(raw)?.[1] ?? "";

/** JavaScript has no 1.0: these come back as Integers unless they are told to be Floats. */
const LOSES_FLOATS = ["whole floats", "before a retry", "the first retry", "the second retry", "the third retry"];

describe.each(VERSIONS)("payloads of Rails %s", (version) => {
  const fixtures = readFixtures(version);

  // Vitest itself takes an own `__proto__` for the prototype: the test below.
  test.each(fixtures.filter(({ name }) => name !== "odd keys"))(
    "$name: the handler gets what Ruby would give",
    (fixture) => {
      const expected = expectedValues(version, fixture.name);
      expect(expected, "an expectation").toBeDefined();
      expect(values(fixture)).toStrictEqual(expected);
    },
  );

  test("odd keys: they are members like others", () => {
    const [hash] = values(readFixture(version, "odd keys")) as [object];
    expect(Object.entries(hash)).toEqual([
      ["__proto__", 1],
      ["constructor", { prototype: 2 }],
      ["toString", 3],
      ["", 4],
    ]);
    expect(Object.getPrototypeOf(hash)).toBe(Object.prototype);
  });

  test.each(fixtures.filter(({ name }) => !LOSES_FLOATS.includes(name)))(
    "$name: the values, written again, are Rails' bytes",
    (fixture) => {
      const text = stringifyJson(serializeArguments(values(fixture), { serializers }));
      expect(text).toBe(argumentsText(fixture.raw));
    },
  );
});

test("each expectation has its payload", () => {
  expect(readFixtures("8.1").map(({ name }) => name)).toEqual(Object.keys(EXPECTED_VALUES));
});

describe("a request", () => {
  /** What is random or the clock's, and what the payload was enqueued with. */
  const optionsOf = ({ data }: Fixture) => {
    const at = data["scheduled_at"] as string | null;
    return {
      queue: data["queue_name"] as string,
      jobId: data["job_id"] as string,
      locale: data["locale"] as string,
      ...(data["timezone"] !== null && { timezone: data["timezone"] as string }),
      ...(data["priority"] !== null && { priority: data["priority"] as number }),
      ...(at !== null && { at: Date.parse(at) }),
      nowMs: 1_795_000_000_255,
      serializers,
    };
  };
  const ENQUEUED = readFixtures("8.1").filter(
    ({ name }) => !LOSES_FLOATS.includes(name) && name !== "members of the app" && name !== "a continuation",
  );

  test.each(ENQUEUED)("is what Rails' adapter pushes: $name", (fixture) => {
    const request = activeJobRequest(fixture.data.job_class, values(fixture), optionsOf(fixture));
    const { class: className, args = [], queue } = request;
    expect(queue).toBe(fixture.data["queue_name"]);
    // A delayed one is wrapped by whoever keeps it: resque-scheduler's items have their queue at the end.
    const item = fixture.raw.replace(/,"queue":"[^"]*"\}$/, "}");
    expect(encodePayload(className, args)).toBe(item);
    expect(request.at === undefined).toBe(item === fixture.raw);
  });

  test("writes Floats where it is told to", () => {
    const [whole, retried] = ["whole floats", "before a retry"].map((name) => readFixture("8.1", name)) as [
      Fixture,
      Fixture,
    ];
    const floats = [1, -0, 1e15].map((value) => new RubyFloat(value));
    const request = activeJobRequest("ExampleJob", floats, optionsOf(whole));
    expect(encodePayload(request.class, request.args ?? [])).toBe(whole.raw);
    const [, text, person, options] = values(retried);
    const again = activeJobRequest("FlakyJob", [new RubyFloat(2), text, person, options], optionsOf(retried));
    expect(encodePayload(again.class, again.args ?? [])).toBe(retried.raw);
  });

  test("is Rails' too when its values are plain JavaScript", () => {
    const fixture = readFixture("8.1", "keyword arguments");
    const request = activeJobRequest("ExampleJob", [1, keywords({ format: "pdf", copies: 2 })], optionsOf(fixture));
    expect(encodePayload(request.class, request.args ?? [])).toBe(fixture.raw);
  });
});
