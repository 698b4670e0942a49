import { UsageError } from "../core/errors.ts";
import { type BatchOptions, checkBatchOptions } from "./batch.ts";

/** A `LambdaClient` of @aws-sdk/client-lambda. */
export interface LambdaClientLike {
  send(
    command: never,
    options?: { readonly abortSignal?: AbortSignal; readonly requestTimeout?: number },
  ): Promise<unknown>;
}

/** @see lambda */
export interface LambdaOptions {
  /**
   * - `"sync"`: the drain waits for the answer (RequestResponse)
   * - `"async"`: the function is handed the job and acknowledges it by itself (Event): `createJobFunction` with the drain's `redis`. The drain
   *   does not wait
   *
   * @default "sync"
   */
  readonly invocation?: "sync" | "async";
  /**
   * How long an asynchronous function has to acknowledge a job, in milliseconds, the time that Lambda lets it wait included. After that it goes back to
   * its queue.
   *
   * @default 960_000, a minute more than a function may run
   */
  readonly leaseMs?: number;
  /** Several jobs in one invocation. @default one each */
  readonly batch?: BatchOptions;
  /** A version or alias of the function. */
  readonly qualifier?: string;
  /** @default the environment's */
  readonly region?: string;
  /** Instead of AWS' own, as `http://localhost:3002` of serverless-offline. */
  readonly endpoint?: string;
  /**
   * One of your own; region and endpoint are its then. Set `maxAttempts: 1`, as jobs have a retry policy; the time that it spends with
   * attempts of its own is the job's.
   *
   * @default one that is made at the first job
   */
  readonly client?: LambdaClientLike;
}

/** @see LambdaOptions */
export const DEFAULT_LAMBDA_OPTIONS: { readonly invocation: "sync"; readonly leaseMs: 960_000 } = {
  invocation: "sync",
  leaseMs: 960_000,
};

type Rule = readonly [isRight: (value: unknown) => boolean, expected: string];

const text: Rule = [(value) => typeof value === "string" && value !== "", "a text that is not empty"];
const RULES: Readonly<Record<Exclude<keyof LambdaOptions, "batch">, Rule>> = {
  invocation: [(value) => value === "sync" || value === "async", '"sync" or "async"'],
  leaseMs: [
    (value) => Number.isInteger(value) && (value as number) >= 1_000 && (value as number) <= 86_400_000,
    "an integer from 1000 to a day",
  ],
  qualifier: text,
  region: text,
  endpoint: [(value) => typeof value === "string" && URL.canParse(value), "a URL"],
  client: [(value) => typeof Object(value).send === "function", "a LambdaClient of @aws-sdk/client-lambda"],
};

/** @throws UsageError naming the option that is wrong */
export function checkLambdaOptions(functionName: unknown, options: LambdaOptions): void {
  if (typeof functionName !== "string" || functionName === "") {
    throw new UsageError("lambda: expected the function's name or ARN, a text that is not empty");
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (name === "batch") checkBatchOptions("lambda", value);
    else {
      const rule = RULES[name as keyof typeof RULES] as Rule | undefined;
      if (!rule)
        throw new UsageError(`lambda: ${name}: unknown option; known: ${Object.keys(RULES).join(", ")}, batch`);
      const got = typeof value === "object" ? "an object" : String(value);
      if (!rule[0](value)) throw new UsageError(`lambda: ${name}: expected ${rule[1]}, got ${got}`);
    }
  }
  if (options.leaseMs !== undefined && options.invocation !== "async") {
    throw new UsageError(
      'lambda: leaseMs: expected only with invocation: "async"; a drain that waits has the time limit of the class',
    );
  }
}
