import { expect, test } from "vitest";
import { InvalidArgumentsError } from "../../src/core/invalid-arguments.ts";
import type { JobContext } from "../../src/core/job-context.ts";
import { readArgs } from "../../src/core/validate-args.ts";

const job = { raw: "{}" } as JobContext;
const refusing = (error: unknown) => ({
  class: "A",
  decode: () => {
    throw error;
  },
});

async function refusal(error: unknown): Promise<InvalidArgumentsError> {
  try {
    readArgs(refusing(error), [], job);
  } catch (refused) {
    return refused as InvalidArgumentsError;
  }
  throw new Error("is not refused");
}

test.each([
  [{ path: "args[0].id" }, "args[0].id"],
  [{}, undefined],
])("a decoder that knows what is wrong is quoted, %o", async (options, path) => {
  const refused = await refusal(new InvalidArgumentsError("is no id", options));
  expect([refused.message, refused.path, "path" in options || refused.path === undefined]).toEqual([
    "is no id",
    path,
    true,
  ]);
  // Where it was seen helps nobody.
  expect(refused.stack).toBe("InvalidArgumentsError: is no id");
});

test("one that breaks is told as such, with its cause", async () => {
  const cause = new RangeError("boom");
  const refused = await refusal(cause);
  expect(refused).toBeInstanceOf(InvalidArgumentsError);
  expect([refused.message, refused.cause]).toEqual(["the payload cannot be decoded: RangeError: boom", cause]);
});

test("one that is asynchronous is waited for, and refuses alike", async () => {
  const decode = async () => Promise.reject(new InvalidArgumentsError("is no id", { path: "x" }));
  await expect(readArgs({ class: "A", decode }, [], job)).rejects.toMatchObject({ message: "is no id", path: "x" });
  expect(await readArgs({ class: "A", decode: async () => [7] }, [], job)).toEqual([7]);
});

test("without a decoder, or a schema, arguments are as they are", () => {
  const args = [1, 2];
  expect(readArgs({ class: "A" }, args, job)).toBe(args);
});
