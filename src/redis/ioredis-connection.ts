import type { Redis, RedisOptions } from "ioredis";
import { StoreError, UsageError } from "../core/errors.ts";
import { afterReading } from "./after-reading.ts";
import { reasonOfReply, redactReply } from "./reply-error.ts";

/** A command as it goes over the wire: texts are sent as UTF-8, bytes as they are. */
export type RawCommand = readonly (string | number | Uint8Array)[];

/**
 * A reply before anything is decoded: bytes for texts, a string of digits (or, from a client that was handed in, a number)
 * for integers, an Error for an error reply.
 */
export type RawReply = Uint8Array | string | number | null | Error | RawReply[];

/** A Redis behind one connection. Commands of one call go out together, in order, and nothing comes between them. */
export interface RawRedis {
  /** Names the client and host:port, without credentials. */
  readonly description: string;
  /** Sends the commands once. Error replies are among the results; rejects with a StoreError if there was no answer. */
  send(commands: readonly RawCommand[]): Promise<RawReply[]>;
  close(): Promise<void>;
}

/** Time limits, in milliseconds, and what TLS needs beyond the URL. */
export interface ConnectionOptions {
  /** @default 10_000 */
  readonly connectTimeoutMs?: number;
  /**
   * How long a call may wait for its reply. It may have taken effect when this is over.
   *
   * @default 10_000
   */
  readonly commandTimeoutMs?: number;
  /** For `rediss://`: options of node:tls, as `ca`. */
  readonly tls?: NonNullable<RedisOptions["tls"]>;
}

/**
 * A connection to `redis://` or `rediss://` that opens with the first call and opens again with the next call after a
 * break. It never sends anything twice, and keeps no timer while idle.
 *
 * @throws UsageError for a malformed URL
 */
export function connectRaw(url: string, options: ConnectionOptions = {}): RawRedis {
  return new OwnConnection(url, options);
}

class OwnConnection implements RawRedis {
  readonly description: string;
  readonly #redisOptions: RedisOptions;
  readonly #db: number;
  readonly #commandTimeoutMs: number;
  #redis: Redis | undefined;
  #connecting: Promise<Redis> | undefined;
  #lastError: Error | undefined;

  constructor(url: string, options: ConnectionOptions) {
    const { connectTimeoutMs = 10_000, commandTimeoutMs = 10_000, tls } = options;
    const { db, ...target } = parseRedisUrl(url);
    for (const [name, value] of Object.entries({ connectTimeoutMs, commandTimeoutMs })) {
      // Timers have 32 bits; one that is set for longer fires at once.
      if (value === (value | 0) && value > 0) continue;
      throw new UsageError(`ioredis: ${name} is ${value}; expected a whole number from 1 to 2147483647`);
    }
    if (tls !== undefined && target.tls === undefined) {
      throw new UsageError("ioredis: options for TLS, but the url begins with redis://; expected rediss://");
    }
    this.description = `Redis at ${target.host}:${target.port}`;
    this.#commandTimeoutMs = commandTimeoutMs;
    this.#db = db;
    this.#redisOptions = {
      ...target,
      ...(target.tls === undefined ? {} : { tls: { ...target.tls, ...tls } }),
      connectTimeout: connectTimeoutMs,
      lazyConnect: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      enableReadyCheck: false,
      disableClientInfo: true,
      stringNumbers: true,
    };
  }

  async send(commands: readonly RawCommand[]): Promise<RawReply[]> {
    const isOpen = this.#connecting === undefined && this.#redis?.status === "ready";
    return this.#sendWithin(isOpen && this.#redis !== undefined ? this.#redis : await this.#connect(), commands);
  }

  async close(): Promise<void> {
    this.#redis?.disconnect();
    this.#redis = undefined;
  }

  async #sendWithin(redis: Redis, commands: readonly RawCommand[]): Promise<RawReply[]> {
    const { promise: expired, reject } = Promise.withResolvers<never>();
    const cancel = afterReading(this.#commandTimeoutMs, () => {
      reject(new StoreError("unavailable", `${this.description}: no answer within ${this.#commandTimeoutMs} ms`));
      // A connection that is silent may be half open: whatever comes next needs a new one. disconnect() alone would wait
      // for the other side, and go on taking commands meanwhile.
      if (this.#redis === redis) this.#redis = undefined;
      redis.disconnect();
    });
    try {
      return await Promise.race([sendAll(redis, commands, this.description), expired]);
    } finally {
      cancel();
    }
  }

  #connect(): Promise<Redis> {
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #open(): Promise<Redis> {
    const { Redis } = await import("ioredis").catch((cause: unknown) => {
      throw new UsageError("ioredis: the package ioredis is not installed; expected it beside airlift", { cause });
    });
    const redis = new Redis(this.#redisOptions);
    this.#redis = redis;
    this.#lastError = undefined;
    redis.on("error", (error: Error) => {
      this.#lastError = error;
    });
    try {
      await redis.connect();
    } catch (error) {
      throw connectionError(this.description, this.#lastError ?? error);
    }
    guardParser(redis.stream);
    await this.#selectDatabase(redis);
    return redis;
  }

  /** ioredis would go on in database 0 if the one asked for does not exist. */
  async #selectDatabase(redis: Redis): Promise<void> {
    if (this.#db === 0) return;
    const [reply] = await this.#sendWithin(redis, [["SELECT", this.#db]]);
    if (!(reply instanceof Error)) return;
    redis.disconnect();
    throw new StoreError(reasonOfReply(reply.message), `${this.description}: ${redactReply(reply.message)}`);
  }
}

/**
 * A reply that ioredis' parser cannot read, as one that is nested thousands of levels deep, would end the process: it throws where nobody can
 * catch. Like this it ends the connection, and what waits for replies on it is told so.
 */
function guardParser(stream: Redis["stream"]): void {
  for (const listener of stream.listeners("data")) {
    stream.off("data", listener as (chunk: Buffer) => void);
    stream.on("data", (chunk: Buffer) => {
      try {
        listener.call(stream, chunk);
      } catch (error) {
        stream.destroy(error as Error);
      }
    });
  }
}

/** Sends the commands in one tick, so that nobody's come between them, and waits for all replies. */
export async function sendAll(redis: Redis, commands: readonly RawCommand[], description: string): Promise<RawReply[]> {
  // Undefined in a client that has never been connected, which its type does not say.
  const stream: Redis["stream"] | undefined = redis.stream;
  // Without this, ioredis writes each command to the socket by itself.
  stream?.cork();
  const pending = commands.map((command) => {
    const [name, ...args] = command;
    // Upper case: ioredis reshapes the replies of some commands if they are named in lower case.
    // Its types know Buffer alone, its code takes any Uint8Array as text; so bytes are made Buffers.
    return redis
      .callBuffer(String(name).toUpperCase(), args.map(toArgument))
      .then((reply) => reply as RawReply, asReplyError);
  });
  stream?.uncork();
  const replies = await Promise.all(pending);
  const lost = replies.find((reply) => reply instanceof LostReply);
  if (lost instanceof LostReply) throw connectionError(description, lost.cause);
  return replies;
}

function toArgument(arg: string | number | Uint8Array): string | number | Buffer {
  return arg instanceof Uint8Array && !Buffer.isBuffer(arg)
    ? Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength)
    : (arg as string | number | Buffer);
}

/** Stands for a reply that did not come. */
class LostReply extends Error {}

function asReplyError(error: unknown): Error {
  // ioredis attaches the command with its arguments to an error reply; only the text goes on.
  if (error instanceof Error && error.name === "ReplyError") return new Error(error.message);
  return new LostReply("no reply", { cause: error });
}

function connectionError(description: string, error: unknown): StoreError {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ECONNREFUSED")
    return new StoreError("unavailable", `${description}: connection refused (ECONNREFUSED)`);
  if (typeof code === "string") return new StoreError("unavailable", `${description}: connection failed (${code})`);
  const text = error instanceof Error ? error.message : "";
  const reason = reasonOfReply(text);
  if (reason !== "rejected") return new StoreError(reason, `${description}: ${redactReply(text)}`);
  if (text === "connect ETIMEDOUT")
    return new StoreError("unavailable", `${description}: no connection in time (ETIMEDOUT)`);
  return new StoreError("unavailable", `${description}: connection closed`);
}

interface RedisTarget {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly db: number;
  readonly tls?: object;
}

function parseRedisUrl(text: string): RedisTarget {
  const expected = "expected redis://[user:password@]host[:port][/db], or rediss:// for TLS";
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === "") throw new UsageError(`ioredis: the url is not an address; ${expected}`);
  if (url.protocol !== "redis:" && url.protocol !== "rediss:") {
    throw new UsageError(`ioredis: the url begins with ${url.protocol}//; ${expected}`);
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const db = url.pathname.replace(/^\//, "");
  if (!/^\d{0,4}$/.test(db)) throw new UsageError(`ioredis: the url names database "${db}"; expected a number`);
  return {
    host,
    port: url.port === "" ? 6379 : Number(url.port),
    ...(url.username === "" ? {} : { username: decodeCredential(url.username) }),
    ...(url.password === "" ? {} : { password: decodeCredential(url.password) }),
    db: Number(db),
    ...(url.protocol === "rediss:" ? { tls: {} } : {}),
  };
}

function decodeCredential(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UsageError("ioredis: user or password of the url hold a % that begins no escape; expected %25 for it");
  }
}
