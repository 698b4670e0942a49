import type { Directive } from "../core/directive.ts";
import { UsageError } from "../core/errors.ts";
import { createCallLimit } from "./call-limit.ts";
import { afterFault, LambdaError } from "./lambda-error.ts";
import type { LambdaClientLike, LambdaOptions } from "./lambda-options.ts";
import { type Invocation, readInvocation } from "./lambda-reply.ts";

/** The most that an invocation carries, of which it must be shorter: Lambda's 6 MB, and 1 MB for Event. */
export const MAX_BYTES = { sync: 6_291_456, async: 1_048_576 } as const;

/** An answer to an Event comes at once. */
const EVENT_ANSWER_MS = 10_000;
const LATER_MS = 1_000;

export interface Invoke {
  readonly signal: AbortSignal;
  /** When nobody waits for the answer any more, in ms since the epoch. */
  readonly deadlineMs: number;
}

/** Sends a message to a function. */
export interface LambdaFunction {
  /**
   * @returns what the function returned, or what becomes of the jobs without that
   * @throws LambdaError for what it cannot be given; RemoteJobError for what it threw; the signal's reason
   */
  call(message: Uint8Array, invoke: Invoke): Promise<Directive | { readonly returned: unknown }>;
}

export function createLambdaFunction(functionName: string, options: LambdaOptions): LambdaFunction {
  const invocation = options.invocation ?? "sync";
  const { qualifier } = options;
  let loading: ReturnType<typeof load> | undefined;

  return {
    async call(message, { signal, deadlineMs }) {
      checkSize(message.byteLength, functionName, invocation);
      loading ??= load(options);
      const { client, InvokeCommand } = await loading;
      signal.throwIfAborted();
      // Who waits for an answer has a limit of its own, and fails the job by that.
      const leftMs = Math.max(0, Math.ceil(deadlineMs - Date.now())) + LATER_MS;
      const limitMs = invocation === "async" ? EVENT_ANSWER_MS : leftMs;
      const command = new InvokeCommand({
        FunctionName: functionName,
        InvocationType: invocation === "async" ? "Event" : "RequestResponse",
        Payload: message,
        ...(qualifier !== undefined && { Qualifier: qualifier }),
      });
      const limit = createCallLimit(signal, limitMs);
      let answer: Invocation;
      try {
        const { signal: abortSignal } = limit;
        answer = (await client.send(command as never, { abortSignal, requestTimeout: limitMs })) as Invocation;
      } catch (error) {
        signal.throwIfAborted();
        return afterFault(error, functionName);
      } finally {
        limit.end();
      }
      return { returned: readInvocation(answer) };
    },
  };
}

/** @throws LambdaError if a message of so many bytes is too large for the function */
export function checkSize(bytes: number, functionName: string, invocation: keyof typeof MAX_BYTES): void {
  if (bytes < MAX_BYTES[invocation]) return;
  throw new LambdaError(
    `the message for the Lambda function ${JSON.stringify(functionName)} has ${bytes} bytes; it can be given less than ` +
      `${MAX_BYTES[invocation]}${invocation === "async" ? " asynchronously" : ""}, and a message holds a job's arguments twice`,
    { reason: "RequestTooLargeException" },
  );
}

/** The client is half a megabyte, so it is loaded when there is something to invoke. */
async function load({ client, region, endpoint }: LambdaOptions) {
  const { LambdaClient, InvokeCommand } = await import("@aws-sdk/client-lambda").catch((cause: unknown) => {
    throw new UsageError('airlift/target/lambda: the package "@aws-sdk/client-lambda" cannot be loaded: install it', {
      cause,
    });
  });
  const own = (): LambdaClientLike =>
    new LambdaClient({
      ...(region !== undefined && { region }),
      ...(endpoint !== undefined && { endpoint }),
      // A job has its own retries, and what one that is repeated behind them costs nobody counts.
      maxAttempts: 1,
      requestHandler: {
        connectionTimeout: 5_000,
        // A function may think for a quarter of an hour.
        socketTimeout: 0,
        throwOnRequestTimeout: true,
        httpAgent: { maxSockets: MAX_SOCKETS },
        httpsAgent: { maxSockets: MAX_SOCKETS },
      },
    });
  return { client: client ?? own(), InvokeCommand };
}

/** As many as a drain may run jobs. */
const MAX_SOCKETS = 1_000;
