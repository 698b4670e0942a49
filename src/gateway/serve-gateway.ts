import { UsageError } from "../core/errors.ts";
import { type ConnectionOptions, connectRaw } from "../redis/ioredis-connection.ts";
import { createGateway } from "./create-gateway.ts";
import { type HttpServer, type ListenLimits, listen } from "./listen.ts";

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
  /**
   * How long a client may take for the head of a request, in milliseconds. A connection that sends none is closed as late.
   *
   * @default 20_000, or requestTimeoutMs if that is less
   */
  readonly headTimeoutMs?: number;
  /**
   * How long it may take for all of a request.
   *
   * @default 60_000
   */
  readonly requestTimeoutMs?: number;
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
 * @throws UsageError for a malformed URL, no token, time limits that are none, or a place to listen at that is not to be had
 */
export async function serveGateway(options: ServeGatewayOptions): Promise<RunningGateway> {
  const { redisUrl, tokens, maxRequestBytes, port = 0, host = "127.0.0.1", connection } = options;
  const limits = checkLimits(options);
  const redis = connectRaw(redisUrl, connection);
  const app = createGateway({ connect: redis, tokens, ...(maxRequestBytes === undefined ? {} : { maxRequestBytes }) });
  const server = await listen({
    ...{ fetch: app.fetch, port, host, ...limits },
    refuse: ({ detail }) => ({ type: "application/json", body: JSON.stringify({ error: `ERR ${detail}` }) }),
  }).catch((error: NodeJS.ErrnoException): HttpServer => {
    const place = `port ${port} on ${host}`;
    if (error.code === "EADDRINUSE") throw new UsageError(`gateway: ${place} is in use; expected a free one, or 0`);
    throw new UsageError(
      `gateway: cannot listen at ${place} (${error.code}); expected an address of this machine, and a port that is open to us`,
    );
  });
  const close = async (): Promise<void> => {
    await server.close(CLOSE_GRACE_MS);
    await redis.close();
  };
  const authority = host.includes(":") ? `[${host}]` : host;
  return { url: `http://${authority}:${server.port}`, close, [Symbol.asyncDispose]: close };
}

function checkLimits(options: ServeGatewayOptions): ListenLimits {
  const { requestTimeoutMs = 60_000, headTimeoutMs = Math.min(20_000, requestTimeoutMs) } = options;
  for (const [name, ms] of Object.entries({ requestTimeoutMs, headTimeoutMs })) {
    if (Number.isSafeInteger(ms) && ms > 0) continue;
    throw new UsageError(`gateway: ${name} is ${ms}; expected a whole number of milliseconds from 1 on`);
  }
  if (headTimeoutMs <= requestTimeoutMs) return { headTimeoutMs, requestTimeoutMs };
  throw new UsageError(
    `gateway: headTimeoutMs is ${headTimeoutMs}; expected at most requestTimeoutMs, ${requestTimeoutMs}`,
  );
}
