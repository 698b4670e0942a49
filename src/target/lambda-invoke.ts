import type { Directive } from "../core/directive.ts";
import { UsageError } from "../core/errors.ts";
import { createCallLimit } from "./call-limit.ts";
import { afterFault, LambdaError } from "./lambda-error.ts";
import type { LambdaClientLike, LambdaOptions } from "./lambda-options.ts";
import { type Invocation, readInvocation } from "./lambda-reply.ts";

/** The most that an invocation carries, of which it must be shorter: Lambda's 6 MB, and 1 MB for Event. */
export const MAX_BYTES = { sync: 6_291_456, async: 1_048_576 } as const;

/** An answer to an Event comes at once; who waits for a function has a time limit of its own. */
const ANSWER_MS = { sync: Number.POSITIVE_INFINITY, async: 10_000 } as const;

/** Sends a message to a function. */
export interface LambdaFunction {
  /**
   * @param signal aborted when nobody waits for the answer any more
   * @returns what the function returned, or what becomes of the jobs without that
   * @throws LambdaError for what it cannot be given; RemoteJobError for what it threw; the signal's reason
   */
  call(message: Uint8Array, signal: AbortSignal): Promise<Directive | { readonly returned: unknown }>;
}

export function createLambdaFunction(functionName: string, options: LambdaOptions): LambdaFunction {
  const invocation = options.invocation ?? "sync";
  const { qualifier } = options;
  let loading: ReturnType<typeof load> | undefined;

  return {
    async call(message, signal) {
      checkSize(message.byteLength, functionName, invocation);
      loading ??= load(options);
      const { client, InvokeCommand } = await loading;
      signal.throwIfAborted();
      const command = new InvokeCommand({
        FunctionName: functionName,
        InvocationType: invocation === "async" ? "Event" : "RequestResponse",
        Payload: message,
        ...(qualifier !== undefined && { Qualifier: qualifier }),
      });
      const limit = createCallLimit(signal, ANSWER_MS[invocation]);
      let answer: Invocation;
      try {
        const { signal: abortSignal } = limit;
        answer = (await client.send(command as never, { abortSignal, requestTimeout: 0 })) as Invocation;
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
        httpAgent: { maxSockets: MAX_SOCKETS },
        httpsAgent: { maxSockets: MAX_SOCKETS },
      },
    });
  return { client: client ?? own(), InvokeCommand };
}

/** As many as a drain may run jobs. */
const MAX_SOCKETS = 1_000;
