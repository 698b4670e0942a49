import type { Redis } from "ioredis";
import { StoreError, UsageError } from "../core/errors.ts";
import type { CallOptions, RedisClient, RedisCommand, RedisReply, ScriptCall, Usage } from "../resque/client.ts";
import { type ConnectionOptions, connectRaw, type RawRedis, type RawReply, sendAll } from "./ioredis-connection.ts";
import { isNoScript, replyError } from "./reply-error.ts";
import { evalCommand, evalshaCommand, PLAIN_FORM, toCommands, unknownScripts } from "./script-command.ts";

export interface IoredisOptions extends ConnectionOptions {
  /** `redis://[user:password@]host[:port][/db]`, or `rediss://` for TLS. */
  readonly url: string;
}

const OPTION_NAMES = new Set(["url", "connectTimeoutMs", "commandTimeoutMs", "tls"]);

/**
 * A client for Redis over TCP, on the library `ioredis`, which is loaded with the first call. It connects with the first
 * call, too, and again with the next call after a break; nothing is ever sent twice.
 *
 * @throws UsageError for a malformed URL or an unknown option
 * @example
 * ```ts
 * import { ioredis } from "airlift/redis/ioredis";
 * const redis = ioredis("redis://127.0.0.1:6379/0");
 * ```
 */
export function ioredis(urlOrOptions: string | IoredisOptions): RedisClient {
  const { url, ...options } = typeof urlOrOptions === "string" ? { url: urlOrOptions } : urlOrOptions;
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.has(name))
      throw new UsageError(`ioredis: unknown option "${name}"; expected ${[...OPTION_NAMES].join(", ")}`);
  }
  if (typeof url !== "string")
    throw new UsageError("ioredis: no url; expected redis://host:port or rediss://host:port");
  return new TcpClient(connectRaw(url, options));
}

/**
 * Wraps an ioredis client that the app already has. It stays open when Airlift closes, and its own options decide on
 * time limits and reconnecting; integers beyond 2^53 arrive rounded unless it was made with `stringNumbers: true`.
 *
 * @throws UsageError if the client would send commands twice, or under other keys than it is given
 * @example
 * ```ts
 * const redis = fromIoredis(new Redis(url, { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 1 }));
 * ```
 */
export function fromIoredis(client: Redis): RedisClient {
  const { host, port, keyPrefix, autoResendUnfulfilledCommands, enableAutoPipelining } = client.options;
  if (keyPrefix)
    throw new UsageError("fromIoredis: the client has a keyPrefix; expected none (use Airlift's namespace option)");
  if (autoResendUnfulfilledCommands !== false) {
    throw new UsageError("fromIoredis: the client repeats commands; expected autoResendUnfulfilledCommands: false");
  }
  if (enableAutoPipelining)
    throw new UsageError("fromIoredis: the client reorders commands; expected enableAutoPipelining: false");
  const description = `Redis at ${host ?? "localhost"}:${port ?? 6379}`;
  return new TcpClient({
    description,
    send: (commands) => sendAll(client, commands, description),
    close: async () => {},
  });
}

class TcpClient implements RedisClient {
  readonly description: string;
  readonly #raw: RawRedis;

  constructor(raw: RawRedis) {
    this.#raw = raw;
    this.description = raw.description;
  }

  async command(command: RedisCommand, options: CallOptions = {}): Promise<RedisReply> {
    meter(options.usage, 1);
    const [reply] = await this.#raw.send([command]);
    return this.#decode(reply, command);
  }

  async pipeline(items: readonly (RedisCommand | ScriptCall)[], options: CallOptions = {}): Promise<RedisReply[]> {
    if (items.length === 0) return [];
    const commands = toCommands(items, PLAIN_FORM);
    meter(options.usage, commands.length);
    const replies = await this.#raw.send(commands);
    const unknown = unknownScripts(items, (index) => {
      const reply = replies[index];
      return reply instanceof Error && isNoScript(reply.message);
    });
    if (unknown.length > 0) {
      const again = unknown.map(({ call }) => evalCommand(call, PLAIN_FORM));
      meter(options.usage, again.length);
      for (const [n, reply] of (await this.#raw.send(again)).entries()) replies[unknown[n]?.index ?? 0] = reply;
    }
    return replies.map((reply, index) => this.#decode(reply, commands[index] ?? []));
  }

  async transaction(commands: readonly RedisCommand[], options: CallOptions = {}): Promise<RedisReply[]> {
    if (commands.length === 0) return [];
    meter(options.usage, commands.length);
    const replies = await this.#raw.send([["MULTI"], ...commands, ["EXEC"]]);
    const results = replies.at(-1);
    if (Array.isArray(results)) return results.map((reply, index) => this.#decode(reply, commands[index] ?? []));
    // Discarded: the command that could not be queued says why, EXEC only that it was.
    const refused = replies.findIndex((reply) => reply instanceof Error);
    this.#decode(replies[refused], commands[refused - 1] ?? []);
    throw new StoreError("rejected", `${this.description}: the transaction was not carried out`);
  }

  async script(call: ScriptCall, options: CallOptions = {}): Promise<RedisReply> {
    meter(options.usage, 1);
    const command = evalshaCommand(call, PLAIN_FORM);
    const [reply] = await this.#raw.send([command]);
    if (!(reply instanceof Error && isNoScript(reply.message))) return this.#decode(reply, command);
    return this.command(evalCommand(call, PLAIN_FORM), options);
  }

  close(): Promise<void> {
    return this.#raw.close();
  }

  #decode(reply: RawReply | undefined, command: RedisCommand): RedisReply {
    if (reply === null || reply === undefined || typeof reply === "number") return reply ?? null;
    if (typeof reply === "string") return toInteger(reply);
    if (Array.isArray(reply)) return reply.map((item) => this.#decode(item, command));
    if (reply instanceof Error) throw replyError(this.description, reply.message, command.slice(1));
    return Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength).toString("utf8");
  }
}

function toInteger(digits: string): number | string {
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : digits;
}

function meter(usage: Usage | undefined, commands: number): void {
  if (usage === undefined) return;
  usage.commands += commands;
  usage.requests += 1;
}
