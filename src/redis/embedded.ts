/**
 * What the embedded Redis does not do as Redis does: scripts under a `#!lua` line, ECHO, OBJECT, DUMP, ROLE, MEMORY, DEBUG;
 * script replies of 12 MB; JSON nested 550 deep in a script; SELECT in a script changes the caller's database; persistence.
 * LPOP slows with a list's length (8,400 a second at 5,000 entries, 2,200 at 100,000). So it is for development and tests.
 */
import { type AddressInfo, createServer, type Socket } from "node:net";
import { UsageError } from "../core/errors.ts";

export interface EmbeddedOptions {
  /**
   * TCP port on 127.0.0.1; 0 takes a free one.
   *
   * @default 0
   */
  readonly port?: number;
}

/** A Redis inside this process. */
export interface EmbeddedRedis extends AsyncDisposable {
  /** `redis://127.0.0.1:port` */
  readonly url: string;
  /** Ends all connections; the data is gone. */
  close(): Promise<void>;
}

/** `*`, with which a command in Redis' own protocol begins. */
const ARRAY = 0x2a;

/**
 * Starts an in-memory Redis that listens on 127.0.0.1, for development and tests. Needs the package `js-redis-server`.
 *
 * @throws UsageError for a port that is none, or one that is in use
 * @example
 * ```ts
 * await using redis = await embedded();
 * const client = ioredis(redis.url);
 * ```
 */
export async function embedded(options: EmbeddedOptions = {}): Promise<EmbeddedRedis> {
  const unknown = Object.keys(options).find((name) => name !== "port");
  if (unknown !== undefined) throw new UsageError(`embedded: unknown option "${unknown}"; expected port`);
  const { port = 0 } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new UsageError(`embedded: port is ${port}; expected a whole number from 0 to 65535`);
  }
  const { createRedisCommandExecutor, RedisServerState, Resp2Server } = await import("js-redis-server/core").catch(
    (error: unknown) => {
      throw new UsageError("embedded: the package js-redis-server is not installed; expected it beside airlift", {
        cause: error,
      });
    },
  );
  const state = new RedisServerState({ databaseCount: 16 });
  const { server: protocol } = new Resp2Server({ server: state, executor: createRedisCommandExecutor() });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.once("readable", () => {
      const first: Buffer | null = socket.read();
      // Clients send arrays. Lines of words are commands, too: a web page could send them as those of a request, to a port on its visitor's machine.
      if (first === null || first[0] !== ARRAY) return void socket.destroy();
      socket.unshift(first);
      protocol.emit("connection", socket);
    });
  });
  // The library's own listen() binds every interface, and its close() waits for clients to leave.
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE"
          ? new UsageError(`embedded: port ${port} is in use; expected a free one, or 0`)
          : error,
      );
    });
    server.listen(port, "127.0.0.1", resolve);
  });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => {
        state.close();
        resolve();
      });
      for (const socket of sockets) socket.destroy();
    });
  // A TCP server's address is always an AddressInfo.
  const { port: boundPort } = server.address() as AddressInfo;
  return { url: `redis://127.0.0.1:${boundPort}`, close, [Symbol.asyncDispose]: close };
}
