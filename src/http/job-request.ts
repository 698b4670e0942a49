import * as v from "valibot";
import type { Airlift } from "../airlift.ts";
import { issuesToFieldErrors } from "./field-errors.ts";
import { DURATION, MAX_DELAY_MS, readDuration, readInstant } from "./job-time.ts";
import { isExactNumber } from "./parse-json.ts";
import type { FieldError } from "./problem.ts";

/** Levels of nesting in a payload, the payload's own object and `args` included: `JSON.parse` of Ruby refuses more. */
export const MAX_NESTING = 100;

/** resque-web writes the names of queues and classes into its pages as they are. */
export const MARKUP: RegExp = /[<>"]/;
export const NO_MARKUP = 'must not hold < > or "';

/** One job of a request. No message quotes what was sent. */
export const JobSchema: v.GenericSchema<
  unknown,
  { class: string; args: unknown[]; at?: string | undefined; in?: string | undefined; id?: string | undefined }
> = v.pipe(
  v.strictObject(
    {
      class: v.pipe(
        v.string("must be a string"),
        v.nonEmpty("must not be empty"),
        v.check((name) => !MARKUP.test(name), NO_MARKUP),
        v.description("The class name: for Ruby workers, the Ruby class"),
      ),
      args: v.optional(
        v.pipe(
          v.array(v.unknown(), "must be an array"),
          v.check(
            (args) => !isDeeperThan(args, MAX_NESTING - 1),
            `must not be nested deeper than ${MAX_NESTING - 1} levels`,
          ),
          v.description("Arguments of the job; numbers are kept as they are written"),
        ),
        [],
      ),
      at: v.optional(
        v.pipe(
          v.string("must be a string"),
          v.check(
            (text) => readInstant(text) !== undefined,
            'must be a time such as "2026-11-20T18:00:00Z", with its offset',
          ),
          v.description("When the job may run, by RFC 3339; Resque keeps whole seconds"),
        ),
      ),
      in: v.optional(
        v.pipe(
          v.string("must be a string"),
          v.regex(DURATION, 'must be a duration such as "30s", "5m" or "7d"'),
          v.check((text) => (readDuration(text) ?? 0) <= MAX_DELAY_MS, "must be at most 36500d"),
          v.description("In what time the job may run; not together with at"),
        ),
      ),
      id: v.optional(
        v.pipe(
          v.string("must be a string"),
          v.regex(/^[\w.:-]{1,100}$/, "must be 1 to 100 letters, digits, or any of _ . : -"),
          v.description("Under which the job's status is kept, if the app keeps it; left out, it gets one"),
        ),
      ),
    },
    (issue) => {
      if (issue.expected === "never")
        return "is not a member of a job; a job has class and args, and may have at, in or id";
      return issue.expected === '"class"' ? "is required" : "must be an object with class and args";
    },
  ),
  v.metadata({ ref: "Job" }),
);

/** As `enqueueAll` takes it. */
export type EnqueueRequest = Parameters<Airlift["enqueueAll"]>[0][number];

/** A job, or why it is refused: 400 for one that is not valid, 403 for a class that may not be enqueued here. */
export type JobRead =
  | { readonly kind: "job"; readonly job: EnqueueRequest }
  | { readonly kind: "refused"; readonly status: 400 | 403; readonly errors: readonly FieldError[] };

/** Turns a parsed value into a job for `queue`. `classes` are those allowed; undefined allows all. */
export function readJob(value: unknown, queue: string, classes: ReadonlySet<string> | undefined): JobRead {
  if (Array.isArray(value)) {
    return { kind: "refused", status: 400, errors: [{ path: "", message: "must be an object with class and args" }] };
  }
  const result = v.safeParse(JobSchema, value);
  if (!result.success) return { kind: "refused", status: 400, errors: issuesToFieldErrors(result.issues) };
  const { at, in: delay, id } = result.output;
  if (at !== undefined && delay !== undefined) {
    return { kind: "refused", status: 400, errors: [{ path: "in", message: "must not stand beside at" }] };
  }
  if (classes && !classes.has(result.output.class)) {
    return { kind: "refused", status: 403, errors: [{ path: "class", message: "may not be enqueued here" }] };
  }
  const when = {
    ...(at !== undefined && { at: readInstant(at) as number }),
    ...(delay !== undefined && { inMs: readDuration(delay) as number }),
    ...(id !== undefined && { id }),
  };
  return { kind: "job", job: { queue, class: result.output.class, args: result.output.args, ...when } };
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null || isExactNumber(value)) return false;
  if (levels === 0) return true;
  for (const item of Array.isArray(value) ? value : Object.values(value)) {
    if (isDeeperThan(item, levels - 1)) return true;
  }
  return false;
}
