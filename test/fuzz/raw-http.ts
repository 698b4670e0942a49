import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** What came back over one connection, up to its end. */
export interface RawAnswer {
  /** Of each answer, in order. */
  readonly statuses: readonly number[];
  /** All bytes, one character each. */
  readonly text: string;
  /** Whether the other side closed the connection; otherwise it was still open after `waitMs`. */
  readonly isClosed: boolean;
}

export interface SendOptions {
  /** Sends no more after this, as a client that is gone half-way. */
  readonly end?: boolean;
  /** How long to wait for the other side to close the connection. @default 10_000 */
  readonly waitMs?: number;
  /** Waits so long before each further part. */
  readonly gapMs?: number;
}

/** The port of an address. */
export const portOf = (url: string): number => Number(new URL(url).port);

export async function connectTo(url: string): Promise<Socket> {
  const socket = connect(portOf(url), "127.0.0.1");
  // A server that hangs up while we write is what many of these tests are about.
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** Sends bytes as they are, HTTP or not, and collects what comes back. */
export async function sendRaw(
  url: string,
  parts: string | readonly string[],
  options: SendOptions = {},
): Promise<RawAnswer> {
  const { end = false, waitMs = 10_000, gapMs = 0 } = options;
  const socket = await connectTo(url);
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  const closed = once(socket, "close").then(() => true);
  for (const part of typeof parts === "string" ? [parts] : parts) {
    if (socket.writable) socket.write(part, "latin1");
    if (gapMs > 0) await delay(gapMs);
  }
  if (end) socket.end();
  const isClosed = await Promise.race([closed, delay(waitMs, false, { ref: false })]);
  socket.destroy();
  const statuses = Array.from(text.matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) => Number(status));
  return { statuses, text, isClosed };
}

/** The text of a request. */
export function requestText(
  method: string,
  path: string,
  { headers = {}, body = "" }: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string } = {},
): string {
  const all = { Host: "127.0.0.1", ...headers, ...(body === "" ? {} : { "Content-Length": String(body.length) }) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}
