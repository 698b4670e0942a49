import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

export interface LambdaFunctionOptions {
  /** The folder that the function's zip would be unpacked to. */
  readonly taskRoot: string;
  /** As in serverless.yml: `dist/functions/aws/drain.handler`. */
  readonly handler: string;
  readonly env: Readonly<Record<string, string>>;
  /** @default 30_000 */
  readonly timeoutMs?: number;
}

/** How an invocation ended: with an answer, with an error that the handler threw, at the time limit, or with its process. */
export type Invocation =
  | { readonly kind: "answer"; readonly payload: unknown }
  | { readonly kind: "error"; readonly errorType: string; readonly errorMessage: string }
  | { readonly kind: "timeout" }
  | { readonly kind: "exit"; readonly status: number | null };

/** One environment of a function at a time, as AWS Lambda keeps them: frozen between invocations, begun anew after it has ended. */
export interface LambdaFunction extends AsyncDisposable {
  invoke(event?: unknown): Promise<Invocation>;
  /** Process id of the environment. */
  readonly pid: number | undefined;
  /** What was logged, line by line; a line that is no JSON object as `{ text }`. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
}

const RIC = fileURLToPath(new URL("ric/node_modules/aws-lambda-ric/index.mjs", import.meta.url));
const PRELOADED = new URL("use-rapid-client.ts", import.meta.url).href;

/** Runs a bundle in the program that runs it in AWS, against a Runtime API of our own. */
export async function startLambdaFunction(options: LambdaFunctionOptions): Promise<LambdaFunction> {
  const { taskRoot, handler, env, timeoutMs = 30_000 } = options;
  const log: Record<string, unknown>[] = [];
  let child: ChildProcess | undefined;
  let waiting: ServerResponse | undefined;
  let pending: { readonly id: string; end(invocation: Invocation): void; event: string | undefined } | undefined;

  const end = (invocation: Invocation): void => {
    const ended = pending;
    pending = undefined;
    ended?.end(invocation);
  };
  const handOut = (): void => {
    if (!waiting || pending?.event === undefined) return;
    const { id, event } = pending;
    pending.event = undefined;
    waiting.writeHead(200, {
      "lambda-runtime-aws-request-id": id,
      "lambda-runtime-deadline-ms": String(Date.now() + timeoutMs),
      "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:123456789012:function:test",
    });
    waiting.end(event);
    waiting = undefined;
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url?.replace("/2018-06-01/runtime/", "") ?? "";
    if (path === "invocation/next") {
      waiting = response;
      handOut();
      return;
    }
    const body = await text(request);
    response.writeHead(202).end();
    if (path !== `invocation/${pending?.id}/response` && !path.endsWith("/error")) return;
    // The answer is the end: nothing of the process runs on until the next invocation.
    if (path !== "init/error") child?.kill("SIGSTOP");
    end(
      path.endsWith("/error") ? { kind: "error", ...JSON.parse(body) } : { kind: "answer", payload: JSON.parse(body) },
    );
  };

  const server = createServer((request, response) => void serve(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  const start = (): ChildProcess => {
    const started = spawn(process.execPath, ["--import", PRELOADED, RIC, handler], {
      env: {
        ...env,
        AWS_REGION: "us-east-1",
        AWS_LAMBDA_FUNCTION_NAME: "test",
        AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "512",
        AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/test",
        AWS_LAMBDA_LOG_STREAM_NAME: "test",
        AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
        AWS_LAMBDA_LOG_FORMAT: "JSON",
        LAMBDA_TASK_ROOT: taskRoot,
        _HANDLER: handler,
      },
    });
    for (const stream of [started.stdout, started.stderr])
      createInterface(stream).on("line", (line) => log.push(read(line)));
    started.once("exit", (status) => {
      if (child !== started) return;
      child = undefined;
      waiting = undefined;
      end({ kind: "exit", status });
    });
    return started;
  };

  return {
    log,
    get pid() {
      return child?.pid;
    },
    async invoke(event = {}) {
      if (pending) throw new Error("one invocation at a time");
      const { promise, resolve } = Promise.withResolvers<Invocation>();
      pending = { id: randomUUID(), end: resolve, event: JSON.stringify(event) };
      child ??= start();
      child.kill("SIGCONT");
      handOut();
      const timer = setTimeout(() => {
        end({ kind: "timeout" });
        child?.kill("SIGKILL");
      }, timeoutMs);
      return promise.finally(() => clearTimeout(timer));
    },
    async [Symbol.asyncDispose]() {
      if (child) {
        const exited = once(child, "exit");
        child.kill("SIGKILL");
        await exited;
      }
      server.closeAllConnections();
      server.close();
    },
  };
}

function read(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // No JSON.
  }
  return { text: line };
}
