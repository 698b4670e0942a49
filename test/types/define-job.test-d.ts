// Read by tsc as a part of `npm run check`: a wrong type, or an error that is expected and does not come, fails it.
import * as v from "valibot";
import { expectTypeOf } from "vitest";
import { z } from "zod";
import { type Airlift, defineJob, type JobContext, type JobDefinition } from "../../src/index.ts";

declare const airlift: Airlift;

// Without a schema: what is written at the handler, or between the brackets, holds for enqueue.
const plain = defineJob({
  class: "Plain",
  perform: (args, job) => {
    expectTypeOf(args).toEqualTypeOf<readonly unknown[]>();
    expectTypeOf(job).toEqualTypeOf<JobContext>();
  },
});
void airlift.enqueue(plain, [1, "anything"]);

const bracketed = defineJob<[to: string, count?: number]>({
  class: "Bracketed",
  perform: ([to, count]) => {
    expectTypeOf(to).toEqualTypeOf<string>();
    expectTypeOf(count).toEqualTypeOf<number | undefined>();
  },
});
void airlift.enqueue(bracketed, ["ada"]);
void airlift.enqueue(bracketed, ["ada", 2]);
// @ts-expect-error a wrong type
void airlift.enqueue(bracketed, ["ada", "2"]);
// @ts-expect-error too few
void airlift.enqueue(bracketed, []);
// @ts-expect-error none at all
void airlift.enqueue(bracketed);

const annotated = defineJob({ class: "Annotated", perform: ([to]: [string], job) => void job.log.info(to) });
expectTypeOf(annotated).toEqualTypeOf<JobDefinition<[string], [string]>>();
// @ts-expect-error a wrong type
void airlift.enqueue(annotated, [1]);

// With a schema, of any library: the handler gets its output, enqueue takes its input.
const withValibot = defineJob({
  class: "Valibot",
  args: v.tuple([v.string(), v.pipe(v.string(), v.transform(Number))]),
  perform: ([name, count], job) => {
    expectTypeOf(name).toEqualTypeOf<string>();
    expectTypeOf(count).toEqualTypeOf<number>();
    expectTypeOf(job.args).toEqualTypeOf<readonly unknown[]>();
  },
});
expectTypeOf(withValibot).toExtend<JobDefinition<[string, number], [string, string]>>();
void airlift.enqueue(withValibot, ["ada", "1"]);
// @ts-expect-error the output is not the input
void airlift.enqueue(withValibot, ["ada", 1]);
void airlift.enqueueIn(1_000, withValibot, ["ada", "1"]);
// @ts-expect-error the output is not the input
void airlift.enqueueIn(1_000, withValibot, ["ada", 1]);

const withZod = defineJob({
  class: "Zod",
  args: z.tuple([z.object({ id: z.string().transform(BigInt) })]),
  perform: async ([{ id }]) => expectTypeOf(id).toEqualTypeOf<bigint>(),
});
void airlift.enqueue(withZod, [{ id: "1" }]);
// @ts-expect-error the output is not the input
void airlift.enqueue(withZod, [{ id: 1n }]);

// A schema may make something else of the list.
defineJob({
  class: "Named",
  args: z.tuple([z.string(), z.number()]).transform(([name, count]) => ({ name, count })),
  perform: ({ name, count }) => {
    expectTypeOf(name).toEqualTypeOf<string>();
    expectTypeOf(count).toEqualTypeOf<number>();
  },
});
defineJob({
  class: "NoList",
  // @ts-expect-error the arguments of a job are a list
  args: z.object({ name: z.string() }),
  perform: () => undefined,
});
defineJob({
  class: "Disagrees",
  // @ts-expect-error it puts out a string
  args: z.tuple([z.string()]),
  perform: ([name]: [number]) => name,
});

// With a decoder: the handler gets what it returns.
defineJob({
  class: "Decoded",
  decode: (raw, job) => {
    expectTypeOf(raw).toEqualTypeOf<string>();
    expectTypeOf(job).toEqualTypeOf<JobContext>();
    return [raw.length, raw] as const;
  },
  perform: ([length, text]) => {
    expectTypeOf(length).toEqualTypeOf<number>();
    expectTypeOf(text).toEqualTypeOf<string>();
  },
});
defineJob({
  class: "DecodedLater",
  decode: async (raw) => [raw] as [string],
  perform: ([text]) => expectTypeOf(text).toEqualTypeOf<string>(),
});
defineJob<[Date]>({
  class: "DecodesSomethingElse",
  // @ts-expect-error a text is no date
  decode: (raw) => [raw],
  perform: () => undefined,
});
defineJob({
  class: "DecodedAndValidated",
  args: z.tuple([z.string().transform(Number)]),
  decode: (raw) => [raw],
  perform: ([count]) => expectTypeOf(count).toEqualTypeOf<number>(),
});

// @ts-expect-error an option that there is not
defineJob({ class: "Typo", timeout: 5, perform: () => undefined });
