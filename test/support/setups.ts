import { ioredis } from "../../src/redis/ioredis.ts";
import { upstash } from "../../src/redis/upstash.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { startGateway } from "./gateway.ts";
import { hasRedisServer, type ServerKind, startRedis, type TestRedis } from "./redis.ts";

/** A running Redis with a client on it. */
export interface RunningSetup extends AsyncDisposable {
  readonly redis: TestRedis;
  /** What the client talks to: `redis://…`, or the gateway's `http://…`. */
  readonly url: string;
  /** The gateway's token; undefined over TCP. */
  readonly token: string | undefined;
  readonly client: RedisClient;
  /** A further client of the same kind, its own connection. Closed with the setup. */
  newClient(): RedisClient;
  close(): Promise<void>;
}

/** One of the four ways to reach a Redis. */
export interface Setup {
  readonly name: "embedded-tcp" | "embedded-http" | "redis-server-tcp" | "redis-server-http";
  readonly server: ServerKind;
  readonly transport: "tcp" | "http";
  start(): Promise<RunningSetup>;
}

/**
 * How long a call may take. The embedded Redis and the gateway run in the test's own thread: a script that takes seconds stops everybody's
 * clock, and on a busy machine it takes much longer than the default of 10 s.
 */
export const PATIENT = { commandTimeoutMs: 50_000, connectTimeoutMs: 50_000 } as const;

const ALL: readonly Setup[] = (["embedded", "redis-server"] as const).flatMap((server) =>
  (["tcp", "http"] as const).map((transport): Setup => {
    return { name: `${server}-${transport}`, server, transport, start: () => start(server, transport) };
  }),
);

/**
 * The setups to run a suite over: all four, or the embedded two where no redis-server is installed. AIRLIFT_TEST_REDIS names
 * those to run instead, by the beginning of their names: `embedded`, `redis-server-http`, or several with commas.
 *
 * @example
 * ```ts
 * describe.each(setups())("over $name", (setup) => { … await setup.start() … });
 * ```
 */
export function setups(): readonly Setup[] {
  const wanted = process.env["AIRLIFT_TEST_REDIS"]?.split(",").filter((name) => name !== "");
  if (wanted === undefined || wanted.length === 0) {
    return ALL.filter(({ server }) => server === "embedded" || hasRedisServer());
  }
  const chosen = ALL.filter(({ name }) => wanted.some((prefix) => name.startsWith(prefix)));
  if (chosen.length === 0)
    throw new Error(`AIRLIFT_TEST_REDIS names none of ${ALL.map(({ name }) => name).join(", ")}`);
  return chosen;
}

async function start(server: ServerKind, transport: "tcp" | "http"): Promise<RunningSetup> {
  const redis = await startRedis({ kind: server });
  const gateway = transport === "http" ? await startGateway(redis.url, { connection: PATIENT }) : undefined;
  const url = gateway?.url ?? redis.url;
  const token = gateway?.token;
  const clients: RedisClient[] = [];
  const newClient = () => {
    const client =
      token === undefined
        ? ioredis({ url, ...PATIENT })
        : upstash({ url, token, requestTimeoutMs: PATIENT.commandTimeoutMs });
    clients.push(client);
    return client;
  };
  const close = async () => {
    await Promise.all(clients.map((client) => client.close()));
    await gateway?.close();
    await redis.close();
  };
  return { redis, url, token, client: newClient(), newClient, close, [Symbol.asyncDispose]: close };
}
