import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One call of `Invoke`, as it came. */
export interface InvokeCall {
  readonly functionName: string;
  readonly qualifier: string | undefined;
  readonly invocationType: string;
  readonly bytes: number;
  readonly event: unknown;
}

/** What is needed of a Lambda handler's second argument. */
export interface TestContext {
  readonly awsRequestId: string;
  getRemainingTimeInMillis(): number;
}

export type LambdaBehaviour =
  /** The function's code. What it throws is told as the Node runtime tells it; of an Event nobody is told. */
  | {
      readonly kind: "runs";
      readonly handler: (event: never, context: TestContext) => unknown;
      readonly timeoutMs?: number;
    }
  /** The function's answer as it is, with `FunctionError` if it is one. */
  | { readonly kind: "answers"; readonly functionError?: string; readonly payload: string }
  /** An error of Lambda's API. */
  | {
      readonly kind: "refuses";
      readonly status: number;
      readonly type?: string;
      readonly message?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** No answer. `cuts` ends the connection, `tears` does so in the middle of the answer, `hangs` does nothing. */
  | { readonly kind: "cuts" | "tears" | "hangs" };

/** Lambda's Invoke API on loopback. */
export interface LambdaEndpoint extends AsyncDisposable {
  readonly url: string;
  readonly calls: InvokeCall[];
  /** How many requests were given up before they were answered. */
  readonly abandoned: number;
  /** What each call meets; the last one stays. */
  behave(...behaviours: LambdaBehaviour[]): void;
  /** Waits for the functions that were invoked as Event. */
  settled(): Promise<void>;
}

const MAX_BYTES = { RequestResponse: 6_291_456, Event: 1_048_576 };

export async function startLambda(): Promise<LambdaEndpoint> {
  const calls: InvokeCall[] = [];
  const events = new Set<Promise<unknown>>();
  let behaviours: LambdaBehaviour[] = [{ kind: "answers", payload: "null" }];
  let abandoned = 0;

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const url = new URL(request.url ?? "", "http://lambda");
    const [, name] = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(url.pathname) ?? [];
    if (request.method !== "POST" || name === undefined) return refuse(response, 404, "UnknownOperationException");
    response.once("close", () => {
      if (!response.writableFinished) abandoned++;
    });
    const invocationType = String(request.headers["x-amz-invocation-type"] ?? "RequestResponse");
    const most = MAX_BYTES[invocationType as keyof typeof MAX_BYTES];
    calls.push({
      ...{ functionName: decodeURIComponent(name), qualifier: url.searchParams.get("Qualifier") ?? undefined },
      ...{ invocationType, bytes: body.length, event: JSON.parse(body.toString()) },
    });
    if (body.length >= most)
      return refuse(response, 413, "RequestTooLargeException", `must be smaller than ${most} bytes`);
    const behaviour = (behaviours.length > 1 ? behaviours.shift() : behaviours[0]) as LambdaBehaviour;
    await meet(behaviour, { response, body: body.toString(), isEvent: invocationType === "Event" });
  };

  const meet = async (
    behaviour: LambdaBehaviour,
    {
      response,
      body,
      isEvent,
    }: { readonly response: ServerResponse; readonly body: string; readonly isEvent: boolean },
  ): Promise<void> => {
    switch (behaviour.kind) {
      case "refuses": {
        const { status, type, message, headers } = behaviour;
        return refuse(response, status, type, message, headers);
      }
      case "cuts":
        response.socket?.destroy();
        return;
      case "tears":
        response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
        response.write('{"airlift":1,', () => response.socket?.destroy());
        return;
      case "hangs":
        return;
      case "answers": {
        const { functionError, payload } = behaviour;
        return answer(response, payload, functionError);
      }
      case "runs": {
        const running = run(behaviour, body);
        if (!isEvent) return answer(response, ...(await running));
        events.add(running);
        void running.finally(() => events.delete(running));
        response.writeHead(202).end();
      }
    }
  };

  const server = createServer((request, response) => void serve(request, response));
  server.on("connection", (socket) => socket.on("error", () => undefined));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    get abandoned() {
      return abandoned;
    },
    behave(...given) {
      behaviours = given;
    },
    async settled() {
      while (events.size > 0) await Promise.all(events);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** As the Node runtime runs a handler; resolves with the answer's text, and the kind of its error. */
async function run(
  { handler, timeoutMs = 900_000 }: Extract<LambdaBehaviour, { kind: "runs" }>,
  body: string,
): Promise<[payload: string, functionError?: string]> {
  const endMs = Date.now() + timeoutMs;
  const context = { awsRequestId: crypto.randomUUID(), getRemainingTimeInMillis: () => endMs - Date.now() };
  try {
    return [JSON.stringify((await handler(JSON.parse(body) as never, context)) ?? null)];
  } catch (error) {
    const { name, message, stack } = error as Error;
    return [JSON.stringify({ errorType: name, errorMessage: message, trace: stack?.split("\n") ?? [] }), "Unhandled"];
  }
}

function answer(response: ServerResponse, payload: string, functionError?: string): void {
  response.writeHead(200, {
    "content-type": "application/json",
    "x-amz-executed-version": "$LATEST",
    ...(functionError !== undefined && { "x-amz-function-error": functionError }),
  });
  response.end(payload);
}

function refuse(
  response: ServerResponse,
  status: number,
  type?: string,
  message = "",
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    "content-type": "application/json",
    ...(type !== undefined && { "x-amzn-errortype": type }),
    ...headers,
  });
  response.end(JSON.stringify({ Type: status < 500 ? "User" : "Service", Message: message, message }));
}
