import type { Airlift, DrainOptions } from "../airlift.ts";
import { type ListenLimits, listen } from "../gateway/listen.ts";
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

/** Files of jobs take their time, if they are large. */
const LIMITS: ListenLimits = { headTimeoutMs: 20_000, requestTimeoutMs: 300_000 };

/** Serves the HTTP API of an app. */
export async function startDevApi(airlift: Airlift, { port, token, drain }: DevApiOptions): Promise<DevApi> {
  const app = createHttpApp(airlift, { tokens: { enqueue: token, operate: token }, drain });
  const server = await listen({
    ...{ fetch: app.fetch, port, host: "127.0.0.1", ...LIMITS },
    refuse: ({ status, detail }) => {
      const problem = {
        type: "urn:airlift:problem:invalid-request",
        status,
        title: "The request cannot be read",
        detail,
      };
      return { type: "application/problem+json", body: JSON.stringify(problem) };
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, close: () => server.close(0) };
}
