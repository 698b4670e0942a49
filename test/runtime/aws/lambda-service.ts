import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import {
  type Invocation,
  type LambdaEnvironment,
  type LambdaFunctionOptions,
  type LogLine,
  startEnvironment,
} from "./lambda-environment.ts";

/** A function, with an environment for each invocation that runs at the same time. */
export interface LambdaFunction {
  invoke(event?: unknown): Promise<Invocation>;
  /** Process ids of its environments. */
  readonly pids: readonly (number | undefined)[];
  /** What all of them logged. */
  readonly log: readonly LogLine[];
}

/** An invocation that came by the API. */
export interface ReceivedInvocation {
  readonly name: string;
  readonly type: string;
  readonly event: unknown;
}

/** Functions of one account, and the part of Lambda's API by which they invoke each other. */
export interface LambdaService extends AsyncDisposable {
  /** For AWS_ENDPOINT_URL_LAMBDA. */
  readonly url: string;
  readonly received: readonly ReceivedInvocation[];
  create(name: string, options: LambdaFunctionOptions): LambdaFunction;
  /** As an API does with those that were idle for long. */
  closeIdleConnections(): void;
}

export async function startLambdaService(): Promise<LambdaService> {
  const functions = new Map<string, LambdaFunction>();
  const environments: LambdaEnvironment[] = [];
  const received: ReceivedInvocation[] = [];

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const name = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.url ?? "")?.[1] ?? "";
    const type = String(request.headers["x-amz-invocation-type"] ?? "RequestResponse");
    const event: unknown = JSON.parse(await text(request));
    const found = functions.get(name);
    received.push({ name, type, event });
    if (!found) {
      response.writeHead(404, { "x-amzn-errortype": "ResourceNotFoundException" }).end('{"Type":"User"}');
    } else if (type === "Event") {
      void found.invoke(event);
      response.writeHead(202).end();
    } else {
      answer(response, await found.invoke(event));
    }
  };
  const server = createServer((request, response) => void serve(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    create(name, options) {
      const own: LambdaEnvironment[] = [];
      const log: LogLine[] = [];
      const created: LambdaFunction = {
        log,
        get pids() {
          return own.map(({ pid }) => pid);
        },
        async invoke(event = {}) {
          const warm = own.find(({ isAlive, isBusy }) => isAlive && !isBusy);
          if (warm) return warm.invoke(event);
          const cold = await startEnvironment(options, (line) => log.push(line));
          own.push(cold);
          environments.push(cold);
          return cold.invoke(event);
        },
      };
      functions.set(name, created);
      return created;
    },
    closeIdleConnections: () => server.closeIdleConnections(),
    async [Symbol.asyncDispose]() {
      await Promise.all(environments.map((environment) => environment[Symbol.asyncDispose]()));
      server.closeAllConnections();
      server.close();
    },
  };
}

function answer(response: ServerResponse, invocation: Invocation): void {
  if (invocation.kind === "answer") {
    response.writeHead(200).end(JSON.stringify(invocation.payload));
    return;
  }
  const error =
    invocation.kind === "error"
      ? invocation.error
      : { errorType: "Runtime.ExitError", errorMessage: `Runtime exited: ${invocation.kind}` };
  response.writeHead(200, { "x-amz-function-error": "Unhandled" }).end(JSON.stringify(error));
}
