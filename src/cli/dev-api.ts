import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import type { Airlift, DrainOptions } from "../airlift.ts";
import { createHttpApp } from "../http/app.ts";

/** The HTTP API of an app, listening on 127.0.0.1. */
export interface DevApi {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  close(): Promise<void>;
}

export interface DevApiOptions {
  readonly port: number;
  /** Good for everything in the API. */
  readonly token: string;
  /** Of the drains that a request starts. */
  readonly drain: Pick<DrainOptions, "signal" | "onEvent" | "runHandler">;
}

/** Serves the HTTP API of an app. */
export async function startDevApi(airlift: Airlift, { port, token, drain }: DevApiOptions): Promise<DevApi> {
  const app = createHttpApp(airlift, { tokens: { enqueue: token, operate: token }, drain });
  const server = await new Promise<Server>((resolve, reject) => {
    // Without options for TLS or HTTP/2 the server is node:http's.
    const started = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, () => resolve(started)) as Server;
    started.once("error", reject);
  });
  // A TCP server's address is an AddressInfo.
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
  return { url, close };
}
