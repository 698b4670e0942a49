import * as v from "valibot";
import type { StoreError } from "../core/errors.ts";

/** What kind of error it is; `urn:airlift:problem:<kind>` is the problem's `type`. */
export type ProblemKind =
  | "closed"
  | "unauthorized"
  | "forbidden"
  | "not-found"
  | "method-not-allowed"
  | "unsupported-media-type"
  | "too-large"
  | "invalid-request"
  | "interrupted"
  | "store"
  | "silent"
  | "internal";

/** One member, parameter or path segment that is wrong. */
export interface FieldError {
  /** Where: names and indices joined by dots, as `args` or `3.class`; empty for the whole body. */
  readonly path: string;
  /** What was expected. Never holds the value that was sent. */
  readonly message: string;
}

/** The body of every error, by RFC 9457, for the OpenAPI document. */
export const ProblemSchema: v.GenericSchema = v.pipe(
  v.object({
    type: v.pipe(v.string(), v.description("urn:airlift:problem:<kind>; stable")),
    title: v.string(),
    status: v.pipe(v.number(), v.integer()),
    detail: v.optional(v.string()),
    errors: v.optional(v.array(v.object({ path: v.string(), message: v.string() }))),
    line: v.optional(v.pipe(v.number(), v.integer(), v.description("NDJSON: the line that is wrong, from 1"))),
    enqueued: v.optional(v.pipe(v.number(), v.integer(), v.description("jobs of this request that stay enqueued"))),
    replaced: v.optional(
      v.pipe(v.number(), v.integer(), v.description("unique jobs of this request that took the place of others")),
    ),
    dropped: v.optional(
      v.pipe(v.number(), v.integer(), v.description("unique jobs of this request that were there already")),
    ),
    uncertain: v.optional(
      v.pipe(v.number(), v.integer(), v.description("jobs that may or may not be enqueued: the store did not answer")),
    ),
  }),
  v.metadata({ ref: "Problem" }),
);

export interface ProblemOptions {
  readonly kind: ProblemKind;
  readonly status: number;
  readonly title: string;
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
  readonly line?: number;
  readonly enqueued?: number;
  readonly replaced?: number;
  readonly dropped?: number;
  readonly uncertain?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Makes an `application/problem+json` response. It must be given nothing that came from a payload or a token. */
export function problem({ kind, headers, ...members }: ProblemOptions): Response {
  return new Response(JSON.stringify({ type: `urn:airlift:problem:${kind}`, ...members }), {
    status: members.status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...headers },
  });
}

/** 503, saying why as far as a caller may know it, with `Retry-After` (whole seconds, rounded up) if the store named a time. */
export function storeProblem(
  error: StoreError,
  counts: Pick<ProblemOptions, "enqueued" | "replaced" | "dropped" | "uncertain"> = {},
): Response {
  return problem({
    kind: "store",
    status: 503,
    title: "The store cannot be used",
    detail: STORE_DETAILS[error.reason],
    ...counts,
    headers:
      error.retryAfterMs === undefined
        ? {}
        : { "retry-after": String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))) },
  });
}

const STORE_DETAILS: Readonly<Record<StoreError["reason"], string>> = {
  unavailable: "Redis did not answer.",
  throttled: "Redis refused for now: over its quota or rate.",
  unauthorized: "Redis refused this server's credentials.",
  full: "Redis takes no more writes: it is full.",
  rejected: "Redis refused the command.",
};
