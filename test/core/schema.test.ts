import type { StandardSchemaV1 } from "@standard-schema/spec";
import * as v from "valibot";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { type AnyJobDefinition, defineJob } from "../../src/core/job.ts";
import { validateForEnqueue } from "../../src/core/validate-args.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, openAppWorld } from "./app-world.ts";

const SECRET = "hunter2@example";

/** A schema written by hand, as a library that nobody here knows. */
function schemaOf<Output>(
  validate: StandardSchemaV1.Props<unknown[], Output>["validate"],
): StandardSchemaV1<unknown[], Output> {
  return { "~standard": { version: 1, vendor: "test", validate } };
}
const refusing = (issues: readonly StandardSchemaV1.Issue[]) => schemaOf(() => ({ issues }));

describe.each(setups())("typed jobs over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  test("are given what their schema puts out, whatever the library", async () => {
    const seen: unknown[] = [];
    const see = (args: unknown, job: { readonly args: readonly unknown[] }) => void seen.push([args, job.args]);
    const shout = { class: "Shout", queue: "q" };
    const jobs = [
      defineJob({ ...shout, class: "Valibot", args: v.tuple([v.pipe(v.string(), v.toUpperCase())]), perform: see }),
      defineJob({ ...shout, class: "Zod", args: z.tuple([z.string().transform((text) => text.length)]), perform: see }),
      defineJob({
        ...shout,
        class: "ZodAsync",
        args: z.tuple([z.string().transform(async (text) => ({ text }))]).transform(([first]) => first),
        perform: see,
      }),
    ] as const;
    const airlift = world.app({ jobs });
    await airlift.enqueue(jobs[0], ["ada"]);
    await airlift.enqueue(jobs[1], ["ada"]);
    await airlift.enqueue(jobs[2], ["ada"]);
    // What is enqueued is the input: the schema's transformations are the handler's matter.
    expect(await world.queued("q")).toEqual([
      '{"class":"Valibot","args":["ada"]}',
      '{"class":"Zod","args":["ada"]}',
      '{"class":"ZodAsync","args":["ada"]}',
    ]);
    expect(await airlift.drain()).toMatchObject({ succeeded: 3, failed: 0 });
    expect(seen).toEqual(
      expect.arrayContaining([
        [["ADA"], ["ada"]],
        [[3], ["ada"]],
        [{ text: "ada" }, ["ada"]],
      ]),
    );
  });

  test("with wrong arguments fail without a retry, the message naming the path and no value", async () => {
    let runs = 0;
    const perform = () => runs++;
    const retry = { limit: 3 };
    const jobs = [
      defineJob({ class: "V", args: v.tuple([v.number(), v.object({ email: v.number() })]), retry, perform }),
      defineJob({ class: "Z", args: z.tuple([z.number(), z.object({ email: z.number() })]), retry, perform }),
      defineJob({
        class: "Async",
        args: v.pipeAsync(
          v.array(v.any()),
          v.checkAsync(async () => false, "no such customer"),
        ),
        retry,
        perform,
      }),
    ];
    for (const { class: name } of jobs) await world.push("q", `{"class":"${name}","args":[1,{"email":"${SECRET}"}]}`);
    expect(await world.app({ jobs }).drain()).toMatchObject({ failed: 3, retried: 0, succeeded: 0, stopped: "empty" });
    expect(runs).toBe(0);
    const failed = (await world.failed()).toSorted((a, b) => a.payload.class.localeCompare(b.payload.class));
    expect(failed.map(({ exception, error }) => [exception, error])).toEqual([
      ["InvalidArgumentsError", "args: no such customer"],
      ["InvalidArgumentsError", "args[1].email: Invalid type: Expected number but received a string"],
      ["InvalidArgumentsError", "args[1].email: Invalid input: expected number, received string"],
    ]);
    for (const { error, backtrace } of failed) expect(JSON.stringify([error, backtrace])).not.toContain(SECRET);
  });

  test("whose schema throws have failed as if their handler had, and are tried again", async () => {
    const args = schemaOf(() => {
      throw new Error("the directory of customers is away");
    });
    await world.push("q", '{"class":"Job","args":[]}');
    const jobs = [
      defineJob({ class: "Job", args, retry: { limit: 1, backoff: [3_600_000] }, perform: () => undefined }),
    ];
    expect(await world.app({ jobs }).drain()).toMatchObject({ retried: 1, failed: 0 });
    await world.send(["DEL", world.keys.retries]);
  });

  test("refuse wrong arguments where they are enqueued, and nothing is written", async () => {
    const job = defineJob({ class: "Mail", queue: "q", args: z.tuple([z.email()]), perform: () => undefined });
    const airlift = world.app({ jobs: [job] });
    const wrong = airlift.enqueue(job, [SECRET]);
    await expect(wrong).rejects.toThrow('class "Mail": args[0]: Invalid email address');
    await expect(wrong).rejects.toMatchObject({ name: "UsageError" });
    expect(await world.keyNames()).toEqual([]);
  });

  test("with a decoder get what it makes of the payload's exact text", async () => {
    const raw = `{ "class":"Decoded",\t"args":[1.10, 12345678901234567890],"by":"go" }`;
    await world.push("q", raw, raw);
    const seen: unknown[] = [];
    const jobs = [
      defineJob({
        class: "Decoded",
        decode: (text, job) => [text, job.queue] as const,
        perform: ([text, queue], job) => void seen.push([text, queue, job.args.length]),
      }),
    ];
    expect(await world.app({ jobs }).drain()).toMatchObject({ succeeded: 2 });
    expect(seen).toEqual([
      [raw, "q", 2],
      [raw, "q", 2],
    ]);
  });

  test("with a decoder and a schema are decoded first", async () => {
    await world.push("q", '{"class":"Both","args":["x"],"meta":{"n":"7"}}', '{"class":"Both","args":["x"],"meta":{}}');
    const seen: unknown[] = [];
    const both = defineJob({
      class: "Both",
      args: z.tuple([z.coerce.number<string>().int()]),
      decode: async (text) => [JSON.parse(text).meta.n],
      perform: ([n]) => void seen.push(n),
    });
    expect(await world.app({ jobs: [both] }).drain()).toMatchObject({ succeeded: 1, failed: 1 });
    expect(seen).toEqual([7]);
    expect(await world.failed()).toMatchObject(
      [{ exception: "InvalidArgumentsError", error: /^args\[0\]: / }].map(({ exception, error }) => ({
        exception,
        error: expect.stringMatching(error),
      })),
    );
  });

  test("whose decoder fails have failed without a retry, and the drain goes on", async () => {
    let runs = 0;
    const broken = (name: string, decode: () => never | Promise<never>): AnyJobDefinition =>
      defineJob<[string]>({ class: name, decode, retry: { limit: 5 }, perform: () => runs++ });
    const jobs = [
      broken("Throws", () => {
        throw new RangeError("no such version");
      }),
      broken("Rejects", () => Promise.reject(new RangeError("no such version"))),
      broken("RejectsWithAText", () => Promise.reject("odd")),
    ];
    for (const { class: name } of jobs)
      await world.push("q", `{"class":"${name}","args":[]}`, '{"class":"Good","args":[]}');
    const report = await world.app({ jobs: [...jobs, { class: "Good", perform: () => undefined }] }).drain();
    expect(report).toMatchObject({ failed: 3, succeeded: 3, retried: 0, stopped: "empty" });
    expect(runs).toBe(0);
    const failed = await world.failed();
    expect(new Set(failed.map(({ exception }) => exception))).toEqual(new Set(["InvalidArgumentsError"]));
    expect(failed.map(({ error }) => error).toSorted()).toEqual([
      'the payload cannot be decoded: NonError: the handler threw "odd"',
      "the payload cannot be decoded: RangeError: no such version",
      "the payload cannot be decoded: RangeError: no such version",
    ]);
  });
});

describe("what a schema refuses is told", () => {
  const messageOf = async (args: StandardSchemaV1, given: readonly unknown[]): Promise<string> => {
    const error = await validateForEnqueue({ class: "Job", args }, given).catch((thrown: unknown) => thrown);
    return (error as Error).message.replace('enqueue: class "Job": ', "");
  };

  test.each<[path: StandardSchemaV1.Issue["path"], told: string]>([
    [undefined, "args"],
    [[], "args"],
    [[0], "args[0]"],
    [["1"], "args[1]"],
    [[1, "email"], "args[1].email"],
    [[{ key: 1 }, { key: "a-b" }, { key: 0 }], 'args[1]["a-b"][0]'],
    [["12", "a1", "1a"], 'args[12].a1["1a"]'],
    [[0, Symbol("s")], 'args[0]["Symbol(s)"]'],
    [[0, "x".repeat(200)], `args[0].${"x".repeat(200)}`],
    [[0, "x".repeat(1_000)], `args[0].${"x".repeat(200)}…`],
  ])("by its path: %o", async (path, told) => {
    const issue = path === undefined ? { message: "is wrong" } : { message: "is wrong", path };
    expect(await messageOf(refusing([issue]), [])).toBe(`${told}: is wrong`);
  });

  test("up to five times, and then by number", async () => {
    const issues = Array.from({ length: 7 }, (_, i) => ({ message: "no", path: [i] }));
    expect(await messageOf(refusing(issues), [])).toBe(
      "args[0]: no; args[1]: no; args[2]: no; args[3]: no; args[4]: no; and 2 more",
    );
  });

  test("also by a schema that has no words for it", async () => {
    expect(await messageOf(refusing([]), [])).toBe("args: refused by the schema");
  });

  test.each<[value: unknown, message: string, told: string]>([
    [SECRET, `Invalid: Received "${SECRET}"`, "Invalid: Received a string"],
    [SECRET, `was '${SECRET}'`, "was a string"],
    [SECRET, `${SECRET} is none of ours`, "a string is none of ours"],
    ['say "x"', 'Received "say \\"x\\""', "Received a string"],
    ["in", 'Expected one in the list but received "in"', "Expected one in the list but received a string"],
    [42, "Expected 420 or 1.42 but received 42", "Expected 420 or 1.42 but received a number"],
    [-1.5, "must be positive (was -1.5)", "must be positive (was a number)"],
    [12345678901234567890n, "was 12345678901234567890", "was a bigint"],
    [true, "received true", "received a boolean"],
    ["four", "four is none of ours", "a string is none of ours"],
    [null, "received null", "received null"],
    ["", "must not be empty", "must not be empty"],
    ["$&", 'got "$&"', "got a string"],
  ])("without the value: %o in %o", async (value, message, told) => {
    expect(await messageOf(refusing([{ message, path: [0, "deep"] }]), [{ deep: value }])).toBe(
      `args[0].deep: ${told}`,
    );
  });

  test("without the values by the libraries' own messages", async () => {
    const valibot = v.tuple([v.pipe(v.string(), v.email()), v.picklist(["a", "b"]), v.pipe(v.number(), v.maxValue(9))]);
    const told = await messageOf(valibot, [SECRET, SECRET, 987_654]);
    expect(told).toMatch(/^args\[0\]: .*; args\[1\]: .*; args\[2\]: /);
    expect(told).not.toMatch(/hunter2|987654/);
  });

  test("of a class that has a decoder only where it is read", async () => {
    const rules = { class: "Job", args: refusing([{ message: "no" }]), decode: () => [] };
    await expect(validateForEnqueue(rules, [])).resolves.toBeUndefined();
    await expect(validateForEnqueue({ ...rules, wire: {} }, [])).rejects.toThrow("args: no");
  });

  test("by a promise if the schema is asynchronous", async () => {
    const args = schemaOf(async (value) =>
      (value as unknown[]).length > 0 ? { value } : { issues: [{ message: "is empty" }] },
    );
    await expect(validateForEnqueue({ class: "Job", args }, [])).rejects.toThrow('class "Job": args: is empty');
    await expect(validateForEnqueue({ class: "Job", args }, [1])).resolves.toBeUndefined();
  });
});
