import type { Context } from "hono";
import * as v from "valibot";
import type { DrainOptions } from "../airlift.ts";
import { UsageError } from "../core/errors.ts";
import type { Logger } from "../core/job.ts";
import type { StartRequest } from "../core/start-drain.ts";
import { issuesToFieldErrors } from "./field-errors.ts";

/** Bearer tokens for each role. A role without one is closed. */
export interface HttpTokens {
  /** For `POST /queues/:queue/jobs` and `GET /jobs/:id`. */
  readonly enqueue?: string | readonly string[] | undefined;
  /** For `/drain`, `/status`, `GET /jobs/:id`, and all that looks at queues, workers and jobs or changes them. */
  readonly operate?: string | readonly string[] | undefined;
}

/** @see HttpAppOptions#drain */
export type HostDrainOptions = Pick<DrainOptions, "signal" | "onEvent" | "runHandler">;

/** Starts a drain for jobs that came over HTTP; the context is that of their request. */
export type HttpKick = (request: StartRequest, context: Context) => unknown;

/** @see DEFAULT_HTTP_APP_OPTIONS */
export interface HttpAppOptions {
  /** @default none: every route but `/health` and `/openapi.json` is closed */
  readonly tokens?: HttpTokens | undefined;
  /**
   * The only queues that may be enqueued to, by exact name.
   *
   * @default all
   */
  readonly queues?: readonly string[] | undefined;
  /**
   * The only classes that may be enqueued, by exact name.
   *
   * @default all
   */
  readonly classes?: readonly string[] | undefined;
  /**
   * Size of a request body, NDJSON excepted.
   *
   * @default 1_000_000
   */
  readonly maxBodyBytes?: number | undefined;
  /**
   * Length of one NDJSON line.
   *
   * @default 1_000_000
   */
  readonly maxLineBytes?: number | undefined;
  /**
   * The longest that a drain asked for over HTTP may take, and what it takes if the caller does not say. Set it below the
   * time limit of the host.
   *
   * @default 55_000, so that a call each minute meets no other
   */
  readonly maxDrainMs?: number | undefined;
  /**
   * How long an answer of `/health` is given again before Redis is asked anew. The route is public, and each look is billed.
   *
   * @default 5_000
   */
  readonly healthMaxAgeMs?: number | undefined;
  /**
   * `/health` fails if no drain has ended for so long, in milliseconds: ticks are missed, or drains fail. The app that drains must have the
   * option `recordDrains`.
   *
   * @default that of the Airlift app's `recordDrains`
   */
  readonly maxSilenceMs?: number | undefined;
  /**
   * Starts a drain when jobs were enqueued over HTTP: in the background of this process, or in a way of the host's own. The app must have the
   * option `kick`, which says how that is done everywhere else; `{}` is enough.
   *
   * @default the Airlift app's own
   */
  readonly kick?: "background" | HttpKick | undefined;
  /** What a host adds to each drain: a signal that aborts it at shutdown, `runHandler`, `onEvent`. */
  readonly drain?: HostDrainOptions | undefined;
  /**
   * Is told of errors that the caller only sees as a bare 500 or 503.
   *
   * @default the Airlift app's own, if it was given one
   */
  readonly logger?: Pick<Logger, "warn" | "error"> | undefined;
}

/** Every option, as the routes use it. */
export interface ResolvedHttpAppOptions {
  readonly tokens: { readonly enqueue: readonly string[]; readonly operate: readonly string[] };
  readonly queues: ReadonlySet<string> | undefined;
  readonly classes: ReadonlySet<string> | undefined;
  readonly maxBodyBytes: number;
  readonly maxLineBytes: number;
  readonly maxDrainMs: number;
  readonly healthMaxAgeMs: number;
  readonly maxSilenceMs: number | undefined;
  readonly kick: "background" | HttpKick | undefined;
  readonly drain: HostDrainOptions;
  readonly logger: Pick<Logger, "warn" | "error">;
}

export const DEFAULT_HTTP_APP_OPTIONS: Readonly<
  Record<"maxBodyBytes" | "maxLineBytes" | "maxDrainMs" | "healthMaxAgeMs", number>
> = { maxBodyBytes: 1_000_000, maxLineBytes: 1_000_000, maxDrainMs: 55_000, healthMaxAgeMs: 5_000 };

/**
 * @param fallbackLogger used if the options have none
 * @throws UsageError naming each option that is wrong, and no token
 */
export function resolveHttpAppOptions(
  options: HttpAppOptions,
  fallbackLogger: ResolvedHttpAppOptions["logger"] = SILENT,
): ResolvedHttpAppOptions {
  const result = v.safeParse(OptionsSchema, options);
  if (!result.success) {
    const errors = issuesToFieldErrors(result.issues);
    throw new UsageError(
      errors.map(({ path, message }) => `createHttpApp: ${path || "options"} ${message}`).join("; "),
    );
  }
  const { tokens, queues, classes, drain, logger, kick, maxSilenceMs, ...numbers } = result.output;
  return {
    ...numbers,
    tokens: { enqueue: list(tokens?.enqueue), operate: list(tokens?.operate) },
    queues: queues && new Set(queues),
    classes: classes && new Set(classes),
    // As given: its undefined members are not set by us.
    drain: (drain ?? {}) as HostDrainOptions,
    logger: logger ?? fallbackLogger,
    ...{ kick, maxSilenceMs },
  };
}

const SILENT: ResolvedHttpAppOptions["logger"] = { warn: () => undefined, error: () => undefined };

function list(tokens: string | readonly string[] | undefined): readonly string[] {
  return typeof tokens === "string" ? [tokens] : (tokens ?? []);
}

/** RFC 6750, `b64token`: what a client can send in the header. No message quotes a token. */
const tokenRule = "must be a bearer token (letters, digits and -._~+/ only, not empty) or a non-empty array of them";
const TokenSchema = v.pipe(v.string(tokenRule), v.regex(/^[A-Za-z0-9._~+/-]+=*$/, tokenRule));
const TokensSchema = v.optional(
  v.union([TokenSchema, v.pipe(v.array(TokenSchema), v.minLength(1, tokenRule))], tokenRule),
);

const NamesSchema = v.optional(
  v.pipe(
    v.array(v.pipe(v.string("must be a string"), v.nonEmpty("must not be empty")), "must be an array of names"),
    v.minLength(1, "must not be empty: leave it out to allow all"),
  ),
);

function count(option: keyof typeof DEFAULT_HTTP_APP_OPTIONS, unit: string, least: number) {
  const message = (issue: v.BaseIssue<unknown>): string =>
    `must be a whole number of ${unit}, at least ${least}, not ${issue.received}`;
  return v.optional(
    v.pipe(v.number(message), v.safeInteger(message), v.minValue(least, message)),
    DEFAULT_HTTP_APP_OPTIONS[option],
  );
}

const isLogger = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  ["warn", "error"].every((level) => typeof (value as Record<string, unknown>)[level] === "function");

const FunctionSchema = v.optional(v.function("must be a function"));

const OptionsSchema = v.strictObject(
  {
    tokens: v.optional(
      v.strictObject({ enqueue: TokensSchema, operate: TokensSchema }, ({ expected }) =>
        expected === "never" ? "is not an option; known: enqueue, operate" : "must be an object of tokens by role",
      ),
    ),
    queues: NamesSchema,
    classes: NamesSchema,
    maxBodyBytes: count("maxBodyBytes", "bytes", 1),
    maxLineBytes: count("maxLineBytes", "bytes", 1),
    maxDrainMs: count("maxDrainMs", "milliseconds", 1),
    healthMaxAgeMs: count("healthMaxAgeMs", "milliseconds", 0),
    maxSilenceMs: v.optional(
      v.custom<number>((value) => Number.isFinite(value) && (value as number) > 0, "must be milliseconds, more than 0"),
    ),
    kick: v.optional(
      v.custom<"background" | HttpKick>(
        (value) => value === "background" || typeof value === "function",
        'must be "background" or a function',
      ),
    ),
    drain: v.optional(
      v.strictObject(
        {
          signal: v.optional(v.instance(AbortSignal, "must be an AbortSignal")),
          onEvent: FunctionSchema,
          runHandler: FunctionSchema,
        },
        ({ expected }) =>
          expected === "never" ? "is not an option; known: signal, onEvent, runHandler" : "must be an object",
      ),
    ),
    logger: v.optional(
      v.custom<ResolvedHttpAppOptions["logger"]>(isLogger, "must be an object with the functions warn and error"),
    ),
  },
  ({ expected }) =>
    expected === "never"
      ? "is not an option; known: tokens, queues, classes, maxBodyBytes, maxLineBytes, maxDrainMs, healthMaxAgeMs, maxSilenceMs, kick, drain, logger"
      : "must be an object",
);
