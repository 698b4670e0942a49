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
  | { readonly kind: "error"; readonly error: { readonly errorType: string; readonly errorMessage: string } }
  | { readonly kind: "timeout" }
  | { readonly kind: "exit"; readonly status: number | null };

/** A line that was logged; one that is no JSON object as `{ text }`. */
export type LogLine = Readonly<Record<string, unknown>>;

/** A process that runs one invocation at a time, and is frozen in between. */
export interface LambdaEnvironment extends AsyncDisposable {
  readonly isBusy: boolean;
  /** False once its process has ended. */
  readonly isAlive: boolean;
  readonly pid: number | undefined;
  invoke(event: unknown): Promise<Invocation>;
}

const RIC = fileURLToPath(new URL("ric/node_modules/aws-lambda-ric/index.mjs", import.meta.url));
const PRELOADED = new URL("use-rapid-client.ts", import.meta.url).href;
const PREFIX = "/2018-06-01/runtime/";

/** Runs a bundle in the program that runs it in AWS, against a Runtime API of our own. */
export async function startEnvironment(
  { taskRoot, handler, env, timeoutMs = 30_000 }: LambdaFunctionOptions,
  onLine: (line: LogLine) => void,
): Promise<LambdaEnvironment> {
  let asking: ServerResponse | undefined;
  let pending: { readonly id: string; event: string | undefined; end(invocation: Invocation): void } | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isAlive = true;

  const end = (invocation: Invocation): void => {
    const ended = pending;
    pending = undefined;
    clearTimeout(timer);
    ended?.end(invocation);
  };
  const handOut = (): void => {
    if (!asking || pending?.event === undefined) return;
    const { id, event } = pending;
    pending.event = undefined;
    asking.writeHead(200, {
      "lambda-runtime-aws-request-id": id,
      "lambda-runtime-deadline-ms": String(Date.now() + timeoutMs),
      "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:123456789012:function:test",
    });
    asking.end(event);
    asking = undefined;
    // As in AWS, the start of the process does not count.
    timer = setTimeout(() => {
      end({ kind: "timeout" });
      child.kill("SIGKILL");
    }, timeoutMs);
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.url === `${PREFIX}invocation/next`) {
      asking = response;
      handOut();
      return;
    }
    const body = JSON.parse(await text(request));
    response.writeHead(202).end();
    // The answer is the end: nothing of the process runs on until the next invocation.
    if (request.url?.startsWith(`${PREFIX}invocation/`)) child.kill("SIGSTOP");
    end(request.url?.endsWith("/error") ? { kind: "error", error: body } : { kind: "answer", payload: body });
  };

  const server = createServer((request, response) => void serve(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const child = start({ taskRoot, handler, env }, (server.address() as AddressInfo).port);
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface(stream).on("line", (line) => onLine(parse(line)));
  }
  child.once("exit", (status) => {
    isAlive = false;
    server.closeAllConnections();
    server.close();
    end({ kind: "exit", status });
  });

  return {
    get isBusy() {
      return pending !== undefined;
    },
    get isAlive() {
      return isAlive;
    },
    pid: child.pid,
    async invoke(event) {
      const { promise, resolve } = Promise.withResolvers<Invocation>();
      pending = { id: randomUUID(), event: JSON.stringify(event), end: resolve };
      child.kill("SIGCONT");
      handOut();
      return promise;
    },
    async [Symbol.asyncDispose]() {
      if (!isAlive) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

function start({ taskRoot, handler, env }: LambdaFunctionOptions, port: number): ChildProcess {
  return spawn(process.execPath, ["--import", PRELOADED, RIC, handler], {
    env: {
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_LAMBDA_FUNCTION_NAME: "test",
      AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "512",
      AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/test",
      AWS_LAMBDA_LOG_STREAM_NAME: "test",
      AWS_LAMBDA_LOG_FORMAT: "JSON",
      ...env,
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
      LAMBDA_TASK_ROOT: taskRoot,
      _HANDLER: handler,
    },
  });
}

function parse(line: string): LogLine {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) return value as LogLine;
  } catch {
    // No JSON.
  }
  return { text: line };
}
