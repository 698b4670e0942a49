import { Redis } from "@upstash/redis/cloudflare";
import { isStoreError, StoreError, UsageError } from "../core/errors.ts";
import type { CallOptions, RedisClient, RedisCommand, RedisReply, ScriptCall, Usage } from "../resque/client.ts";
import { isNoScript, replyError } from "./reply-error.ts";
import {
  evalCommand,
  evalshaCommand,
  KEY_LOCKING_FORM,
  PLAIN_FORM,
  type ScriptForm,
  toCommands,
  unknownScripts,
} from "./script-command.ts";
import { ReplyFailure, type RestItem, RestTransport } from "./upstash-transport.ts";

export interface UpstashOptions {
  /**
   * Address of the REST endpoint, `https://…`.
   *
   * @default UPSTASH_REDIS_REST_URL, or KV_REST_API_URL
   */
  readonly url?: string;
  /** @default UPSTASH_REDIS_REST_TOKEN, or KV_REST_API_TOKEN */
  readonly token?: string;
  /**
   * How long a request may take, in milliseconds. It may have taken effect when this is over.
   *
   * @default 10_000
   */
  readonly requestTimeoutMs?: number;
  /**
   * Sends scripts under `#!lua flags=allow-key-locking`, so that they lock their keys and not the whole database. Upstash
   * knows it, plain Redis refuses it (the gateway takes it off).
   *
   * @default true on `*.upstash.io`, false elsewhere
   */
  readonly keyLocking?: boolean;
}

const OPTION_NAMES = new Set(["url", "token", "requestTimeoutMs", "keyLocking"]);

/**
 * A client for Redis over HTTP: Upstash, Vercel KV, or `airlift gateway` in front of any Redis.
 *
 * @throws UsageError for a missing or malformed address, token or option
 * @example
 * ```ts
 * import { upstash } from "airlift/redis/upstash";
 * const redis = upstash(); // UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN
 * ```
 */
export function upstash(options: UpstashOptions = {}): RedisClient {
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.has(name))
      throw new UsageError(`upstash: unknown option "${name}"; expected ${[...OPTION_NAMES].join(", ")}`);
  }
  const { url, token } = findEndpoint(options);
  const { requestTimeoutMs = 10_000, keyLocking = url.hostname.endsWith(".upstash.io") } = options;
  if (!Number.isInteger(requestTimeoutMs) || requestTimeoutMs < 1) {
    throw new UsageError(
      `upstash: requestTimeoutMs is ${requestTimeoutMs}; expected a whole number of milliseconds from 1 on`,
    );
  }
  const description = `Upstash Redis at ${url.origin}`;
  const base = (url.origin + url.pathname).replace(/\/+$/, "");
  const transport = new RestTransport({ url: base, token, requestTimeoutMs, description });
  return new UpstashClient(
    new QuietRedis(base, token, transport),
    description,
    keyLocking ? KEY_LOCKING_FORM : PLAIN_FORM,
  );
}

/** The SDK with everything off that acts by itself, and with a transport that tells what happened. */
class QuietRedis extends Redis {
  readonly #transport: RestTransport;

  constructor(url: string, token: string, transport: RestTransport) {
    super({
      url,
      token,
      automaticDeserialization: false,
      enableAutoPipelining: false,
      enableTelemetry: false,
      responseEncoding: false,
      readYourWrites: false,
      retry: false,
    });
    this.#transport = transport;
    this.client = transport;
  }

  /** The SDK's pipelines take only the commands that it has methods for. */
  async post(path: "pipeline" | "multi-exec", commands: readonly RedisCommand[]): Promise<RestItem[]> {
    const items: unknown = await this.#transport.request({ path: [path], body: commands });
    if (!Array.isArray(items) || items.length !== commands.length)
      throw new TypeError("not one reply for each command");
    return items;
  }

  close(): void {
    this.#transport.close();
  }
}

class UpstashClient implements RedisClient {
  readonly description: string;
  readonly #sdk: QuietRedis;
  readonly #form: ScriptForm;

  constructor(sdk: QuietRedis, description: string, form: ScriptForm) {
    this.#sdk = sdk;
    this.description = description;
    this.#form = form;
  }

  async command(command: RedisCommand, options: CallOptions = {}): Promise<RedisReply> {
    try {
      return await this.#exec(command, options.usage);
    } catch (error) {
      throw this.#toStoreError(error, command);
    }
  }

  async pipeline(items: readonly (RedisCommand | ScriptCall)[], options: CallOptions = {}): Promise<RedisReply[]> {
    if (items.length === 0) return [];
    const commands = toCommands(items, this.#form);
    const replies = await this.#post("pipeline", commands, options.usage);
    const unknown = unknownScripts(items, (index) => isNoScript(replies[index]?.error ?? ""));
    if (unknown.length > 0) {
      const again = unknown.map(({ call }) => evalCommand(call, this.#form));
      const items = await this.#post("pipeline", again, options.usage);
      for (const [n, item] of items.entries()) replies[unknown[n]?.index ?? 0] = item;
    }
    return this.#results(replies, commands);
  }

  async transaction(commands: readonly RedisCommand[], options: CallOptions = {}): Promise<RedisReply[]> {
    if (commands.length === 0) return [];
    return this.#results(await this.#post("multi-exec", commands, options.usage), commands);
  }

  async script(call: ScriptCall, options: CallOptions = {}): Promise<RedisReply> {
    try {
      return await this.#exec(evalshaCommand(call, this.#form), options.usage);
    } catch (error) {
      if (!(error instanceof ReplyFailure && isNoScript(error.text)))
        throw this.#toStoreError(error, call.args, call.keys);
    }
    return this.command(evalCommand(call, this.#form), options);
  }

  /** Idle connections alone are open between calls; they would not keep a process alive either. */
  async close(): Promise<void> {
    this.#sdk.close();
  }

  #exec(command: RedisCommand, usage: Usage | undefined): Promise<RedisReply> {
    meter(usage, 1);
    // The port knows commands as plain arrays; the SDK wants proof of a first element, which every command has.
    return this.#sdk.exec<RedisReply>(command as [string, ...(string | number)[]]);
  }

  async #post(
    path: "pipeline" | "multi-exec",
    commands: readonly RedisCommand[],
    usage: Usage | undefined,
  ): Promise<RestItem[]> {
    meter(usage, commands.length);
    try {
      return await this.#sdk.post(path, commands);
    } catch (error) {
      throw this.#toStoreError(error, ...commands);
    }
  }

  #results(items: readonly RestItem[], commands: readonly RedisCommand[]): RedisReply[] {
    return items.map((item, index) => {
      if (item.error !== undefined) throw replyError(this.description, item.error, commands[index] ?? []);
      return item.result as RedisReply; // what JSON can hold of a RESP2 reply
    });
  }

  #toStoreError(error: unknown, ...args: readonly (readonly (string | number)[])[]): StoreError {
    if (isStoreError(error)) return error;
    if (error instanceof ReplyFailure) {
      const { reason, status, retryAfterMs } = error;
      const options = retryAfterMs === undefined ? { reason, status } : { reason, status, retryAfterMs };
      return replyError(this.description, error.text, args.flat(), options);
    }
    // The SDK's own errors hold commands, so nothing of them is passed on.
    return new StoreError("unavailable", `${this.description}: an answer that is not a Redis reply`);
  }
}

function meter(usage: Usage | undefined, commands: number): void {
  if (usage === undefined) return;
  usage.commands += commands;
  usage.requests += 1;
}

/** The variables of Upstash's and of Vercel KV's integration. Url and token of one database are never mixed with another's. */
const VARIABLES = [
  { url: "UPSTASH_REDIS_REST_URL", token: "UPSTASH_REDIS_REST_TOKEN" },
  { url: "KV_REST_API_URL", token: "KV_REST_API_TOKEN" },
] as const;

function findEndpoint(options: UpstashOptions): { url: URL; token: string } {
  const env = globalThis.process?.env ?? {};
  const set = VARIABLES.find((names) => env[options.url === undefined ? names.url : names.token]);
  const url = parseUrl(options.url ?? (set && env[set.url]));
  const token = options.token ?? (set && env[set.token]);
  if (token) return { url, token: checkToken(token) };
  throw new UsageError(
    options.url === undefined && set !== undefined
      ? `upstash: no token; ${set.url} is set, but ${set.token} is not`
      : "upstash: no token, and neither UPSTASH_REDIS_REST_TOKEN nor KV_REST_API_TOKEN is set",
  );
}

function parseUrl(text: string | undefined): URL {
  const expected = "expected the https:// address of the REST endpoint";
  if (text === undefined || text === "") {
    throw new UsageError(`upstash: no url, and neither UPSTASH_REDIS_REST_URL nor KV_REST_API_URL is set; ${expected}`);
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw new UsageError(`upstash: the url is not an address; ${expected}`);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new UsageError(
      `upstash: the url begins with ${url.protocol}//; ${expected} (redis:// is for the ioredis client)`,
    );
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new UsageError(
      `upstash: the url of ${url.host} holds credentials or parameters; ${expected} alone, and the token apart`,
    );
  }
  return url;
}

function checkToken(token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new UsageError("upstash: the token holds blanks or characters that no HTTP header can carry");
}
