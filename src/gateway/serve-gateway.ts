import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { UsageError } from "../core/errors.ts";
import { type ConnectionOptions, connectRaw } from "../redis/ioredis-connection.ts";
import { createGateway } from "./create-gateway.ts";

export interface ServeGatewayOptions {
  /** `redis://` or `rediss://` address of the Redis behind it. */
  readonly redisUrl: string;
  readonly tokens: readonly string[];
  /** @default 10_485_760 */
  readonly maxRequestBytes?: number;
  /**
   * TCP port; 0 takes a free one.
   *
   * @default 0
   */
  readonly port?: number;
  /** @default "127.0.0.1" */
  readonly host?: string;
  /** Time limits and TLS of the connection to Redis. */
  readonly connection?: ConnectionOptions;
}

/** A gateway that is listening. */
export interface RunningGateway extends AsyncDisposable {
  /** `http://host:port` */
  readonly url: string;
  /** Takes no more requests, lets those under way end (5 s at most), and closes the connection to Redis. */
  close(): Promise<void>;
}

const CLOSE_GRACE_MS = 5_000;

/**
 * Serves the Upstash REST protocol over HTTP in front of a Redis. It starts without the Redis, and answers 503 until it can
 * be reached.
 *
 * @throws UsageError for a malformed URL, no token, or a port that is in use
 */
export async function serveGateway(options: ServeGatewayOptions): Promise<RunningGateway> {
  const { redisUrl, tokens, maxRequestBytes, port = 0, host = "127.0.0.1", connection } = options;
  const redis = connectRaw(redisUrl, connection);
  const app = createGateway({ connect: redis, tokens, ...(maxRequestBytes === undefined ? {} : { maxRequestBytes }) });
  const server = await new Promise<Server>((resolve, reject) => {
    // Without options for TLS or HTTP/2 the server is always node:http's.
    const started = serve({ fetch: app.fetch, port, hostname: host }, () => resolve(started)) as Server;
    started.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE"
          ? new UsageError(`gateway: port ${port} on ${host} is in use; expected a free one, or 0`)
          : error,
      );
    });
  });
  // A TCP server's address is always an AddressInfo.
  const { port: boundPort } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const cut = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    await closed;
    clearTimeout(cut);
    await redis.close();
  };
  const authority = host.includes(":") ? `[${host}]` : host;
  return { url: `http://${authority}:${boundPort}`, close, [Symbol.asyncDispose]: close };
}
