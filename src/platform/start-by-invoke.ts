import type { InvokeCommandInput } from "@aws-sdk/client-lambda";
import { UsageError } from "../core/errors.ts";
import type { StartDrain } from "../core/start-drain.ts";

/** A drain waits 5 s for the answer. */
const CONNECT_MS = 1_500;
const ANSWER_MS = 3_000;
/** The second for a connection that was closed while the function was frozen. One start too many is harmless. */
const MAX_ATTEMPTS = 2;

/**
 * A `start` that invokes a function of {@link toLambdaHandler}, this one or another, without waiting for it: for kicks, successors and siblings. Needs
 * `lambda:InvokeFunction` on that function, and the package `@aws-sdk/client-lambda`.
 *
 * @param functionName its name or ARN
 * @example
 * ```ts
 * import { createAirlift } from "airlift";
 * import { startByInvoke } from "airlift/platform/aws-lambda";
 * import { upstash } from "airlift/redis/upstash";
 *
 * export const airlift = createAirlift({ redis: upstash(), queues: ["mail"], jobs: [], kick: startByInvoke("my-drain") });
 * ```
 * @throws UsageError without a name
 */
export function startByInvoke(functionName: string): StartDrain {
  if (typeof functionName !== "string" || functionName === "") {
    throw new UsageError(`startByInvoke: expected the name or ARN of a function, got ${JSON.stringify(functionName)}`);
  }
  let loaded: ReturnType<typeof loadInvoke> | undefined;
  return async ({ reason, depth, remaining }) => {
    loaded ??= loadInvoke();
    const invoke = await loaded;
    const Payload = JSON.stringify({ reason, depth, remaining });
    await invoke({ FunctionName: functionName, InvocationType: "Event", Payload });
  };
}

/** The client takes longer to load than all else, and most invocations start nothing. */
async function loadInvoke(): Promise<(input: InvokeCommandInput) => Promise<unknown>> {
  const { InvokeCommand, LambdaClient } = await import("@aws-sdk/client-lambda");
  const client = new LambdaClient({
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: ANSWER_MS, throwOnRequestTimeout: true },
  });
  return (input) => client.send(new InvokeCommand(input));
}
