import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const SECRET: string = `whsec_${Buffer.alloc(32, "one secret").toString("base64")}`;
export const OTHER_SECRET: string = `whsec_${Buffer.alloc(32, "another secret").toString("base64")}`;

export interface ReceivedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What an endpoint answers: a status, or whatever its function does. */
export type Answer = number | ((response: ServerResponse, request: ReceivedRequest) => void);

/** An HTTP server on loopback that a test has jobs sent to. */
export interface Endpoint extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly requests: ReceivedRequest[];
  /** How many connections were opened. */
  readonly connections: number;
  /** How many requests were given up before they were answered. */
  readonly abandoned: number;
  answer: Answer;
}

export async function startEndpoint(answer: Answer = 200): Promise<Endpoint> {
  const requests: ReceivedRequest[] = [];
  let connections = 0;
  let abandoned = 0;
  const listener: RequestListener = async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = "", url = "", headers } = request;
    const received = { method, url, headers, body: Buffer.concat(chunks).toString() };
    requests.push(received);
    response.once("close", () => {
      if (!response.writableFinished) abandoned++;
    });
    if (typeof endpoint.answer === "function") endpoint.answer(response, received);
    else response.writeHead(endpoint.answer).end();
  };
  const server = createServer((request, response) => void listener(request, response));
  server.on("connection", (socket) => {
    connections++;
    socket.on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const endpoint: Endpoint = {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    answer,
    get connections() {
      return connections;
    },
    get abandoned() {
      return abandoned;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return endpoint;
}

/** A plain answer. */
export function answering(status: number, body = "", headers: Readonly<Record<string, string>> = {}): Answer {
  return (response) => void response.writeHead(status, headers).end(body);
}

/** Airlift's own form of a reply. */
export function replying(reply: unknown, status = 200): Answer {
  return answering(status, JSON.stringify(reply), { "content-type": "application/json" });
}
