import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { until } from "../support/until.ts";

/** A server at which jobs of another process wait, until they are let through. */
export interface Gate extends AsyncDisposable {
  readonly url: string;
  /** What they have said, by the bodies of their requests. */
  readonly told: readonly string[];
  /** Waits for so many to wait. */
  reached(count: number): Promise<void>;
  /** Lets those who wait through, and those who come later. */
  open(): void;
}

export async function startGate(): Promise<Gate> {
  const waiting: ServerResponse[] = [];
  const told: string[] = [];
  let isOpen = false;
  const server = createServer(async (request, response) => {
    told.push(await text(request));
    if (isOpen) response.end();
    else waiting.push(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A TCP server's address is an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    told,
    reached: async (count) => void (await until(() => told.length >= count, { timeoutMs: 30_000 })),
    open() {
      isOpen = true;
      for (const response of waiting.splice(0)) response.end();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
