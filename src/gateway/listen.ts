import { createServer, type Server, STATUS_CODES } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";

/** How long a client may take, in milliseconds. Who takes longer gets a 408. */
export interface ListenLimits {
  /** For the request line and the headers, counted from the connection on. */
  readonly headTimeoutMs: number;
  /** For the whole request. */
  readonly requestTimeoutMs: number;
}

/** What is no request of HTTP's, or has no end: what its answer's body says. */
export interface Refusal {
  readonly status: number;
  /** What was expected. */
  readonly detail: string;
}

export interface ListenOptions extends ListenLimits {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly port: number;
  readonly host: string;
  readonly refuse: (refusal: Refusal) => { readonly type: string; readonly body: string };
}

export interface HttpServer {
  readonly port: number;
  /** Takes no more requests, and lets those under way end for so long. */
  close(graceMs: number): Promise<void>;
}

/** Of a request's line and headers; Node's own default, said here so that it is known. */
export const MAX_HEAD_BYTES = 16_384;

/**
 * Serves over HTTP/1.1. Whatever a peer does, it costs the others no more than its own requests: heads are small and come in time, and so do
 * bodies; what is no HTTP is answered and hung up on.
 *
 * @throws the error of the socket, as EADDRINUSE
 */
export async function listen({ fetch, port, host, refuse, ...limits }: ListenOptions): Promise<HttpServer> {
  const { headTimeoutMs, requestTimeoutMs } = limits;
  const asResponse = (refusal: Refusal): Response => {
    const { type, body } = refuse(refusal);
    return new Response(body, { status: refusal.status, headers: { "content-type": type } });
  };
  const server = createServer(
    {
      headersTimeout: headTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(5_000, headTimeoutMs),
      maxHeaderSize: MAX_HEAD_BYTES,
    },
    // The app has its own way with errors; what is left is an address that is none.
    getRequestListener(fetch, { hostname: host, errorHandler: () => asResponse(BAD_REQUEST) }),
  );
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const refusal = refusalOf(error, limits);
    answerRaw(socket, refusal.status, refuse(refusal));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  // A TCP server's address is always an AddressInfo.
  return { port: (server.address() as AddressInfo).port, close: (graceMs) => close(server, graceMs) };
}

const BAD_REQUEST: Refusal = { status: 400, detail: "the request is not valid HTTP/1.1" };

function refusalOf({ code }: NodeJS.ErrnoException, { headTimeoutMs, requestTimeoutMs }: ListenLimits): Refusal {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return { status: 431, detail: `the head of the request is too large: expected at most ${MAX_HEAD_BYTES} bytes` };
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return { status: 413, detail: "the extensions of a chunk are too large" };
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return {
        status: 408,
        detail: `the request did not arrive in time: expected its head within ${headTimeoutMs} ms, all of it within ${requestTimeoutMs} ms`,
      };
    default:
      return BAD_REQUEST;
  }
}

/** Says why before it hangs up; there is no response to write to where there was no request. */
function answerRaw(
  socket: Duplex,
  status: number,
  { type, body }: { readonly type: string; readonly body: string },
): void {
  const wasReset = (socket as Socket).destroyed || !socket.writable;
  if (wasReset) return void socket.destroy();
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Connection: close",
    `Content-Type: ${type}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

async function close(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(cut);
}
