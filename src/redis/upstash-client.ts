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

/** What carries one command. */
export type SendCommand = (command: RedisCommand) => Promise<RedisReply>;

/** Where a database answers, and what carries requests there. */
export interface UpstashEndpoint {
  /** No slash at its end. */
  readonly url: string;
  readonly token: string;
  readonly transport: RestTransport;
}

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
 * What `upstash()` is on every host.
 *
 * @param connect makes what carries single commands
 * @throws UsageError for a missing or malformed address, token or option
 */
export function createUpstash(
  options: UpstashOptions,
  connect: (endpoint: UpstashEndpoint) => SendCommand,
): RedisClient {
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.has(name))
      throw new UsageError(`upstash: unknown option "${name}"; expected ${[...OPTION_NAMES].join(", ")}`);
  }
  const { url, token } = findEndpoint(options);
  const { requestTimeoutMs = 10_000, keyLocking = url.hostname.endsWith(".upstash.io") } = options;
  // Timers have 32 bits; one that is set for longer fires at once.
  if (requestTimeoutMs !== (requestTimeoutMs | 0) || requestTimeoutMs < 1) {
    throw new UsageError(
      `upstash: requestTimeoutMs is ${requestTimeoutMs}; expected a whole number from 1 to 2147483647`,
    );
  }
  const description = `Upstash Redis at ${url.origin}`;
  const base = (url.origin + url.pathname).replace(/\/+$/, "");
  const transport = new RestTransport({ url: base, token, requestTimeoutMs, description });
  const send = connect({ url: base, token, transport });
  return new UpstashClient(send, transport, description, keyLocking ? KEY_LOCKING_FORM : PLAIN_FORM);
}

class UpstashClient implements RedisClient {
  readonly description: string;
  readonly #send: SendCommand;
  readonly #transport: RestTransport;
  readonly #form: ScriptForm;

  constructor(send: SendCommand, transport: RestTransport, description: string, form: ScriptForm) {
    this.#send = send;
    this.#transport = transport;
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
    this.#transport.close();
  }

  #exec(command: RedisCommand, usage: Usage | undefined): Promise<RedisReply> {
    meter(usage, 1);
    return this.#send(command);
  }

  async #post(
    path: "pipeline" | "multi-exec",
    commands: readonly RedisCommand[],
    usage: Usage | undefined,
  ): Promise<RestItem[]> {
    meter(usage, commands.length);
    try {
      return await this.#transport.batch(path, commands);
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
    // Errors of other makes hold commands, so nothing of them is passed on.
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
