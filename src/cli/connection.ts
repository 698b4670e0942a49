import { UsageError } from "../core/errors.ts";
import type { RedisClient } from "../resque/client.ts";

/** The options that every command takes which talks to Redis. */
export interface ConnectionOptions {
  readonly redis?: string;
  readonly token?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Where Redis is, and how it was said: for messages. */
export interface RedisAddress {
  readonly url: string;
  /** Of an HTTP Redis. */
  readonly token?: string;
  readonly source: string;
}

/** The environment's HTTP databases, in the order in which they count. */
const HTTP_VARIABLES = [
  { url: "UPSTASH_REDIS_REST_URL", token: "UPSTASH_REDIS_REST_TOKEN" },
  { url: "KV_REST_API_URL", token: "KV_REST_API_TOKEN" },
] as const;

const SCHEMES = "expected an https://, http://, redis:// or rediss:// URL";

/**
 * Finds Redis: `--redis` with `--token`, then UPSTASH_REDIS_REST_URL, KV_REST_API_URL, the variable that REDIS_PROVIDER names,
 * REDIS_URL.
 *
 * @throws UsageError if there is none, or it is not usable
 */
export function findRedis(options: ConnectionOptions, env: Environment): RedisAddress {
  if (options.redis !== undefined) {
    const token = options.token ?? HTTP_VARIABLES.map((names) => env[names.token]).find(Boolean);
    return checkAddress(options.redis, isHttp(options.redis) ? token : options.token, "--redis");
  }
  if (options.token !== undefined) throw new UsageError("--token goes with --redis; expected both");
  for (const names of HTTP_VARIABLES) {
    const url = env[names.url];
    if (url) return checkAddress(url, env[names.token], names.url, names.token);
  }
  const provider = env["REDIS_PROVIDER"];
  if (provider) {
    const url = env[provider];
    // Who has put the address there must not find it in a log.
    if (!url && !/^\w+$/.test(provider)) {
      throw new UsageError("REDIS_PROVIDER: expected the name of a variable, such as REDIS_URL, and not an address");
    }
    if (!url) throw new UsageError(`REDIS_PROVIDER names the variable ${JSON.stringify(provider)}, which is not set`);
    return checkAddress(url, undefined, provider);
  }
  const url = env["REDIS_URL"];
  if (url) return checkAddress(url, undefined, "REDIS_URL");
  throw new UsageError(
    "no Redis: expected --redis URL, or UPSTASH_REDIS_REST_URL, KV_REST_API_URL, REDIS_PROVIDER or REDIS_URL in the environment",
  );
}

/**
 * Finds a Redis over TCP: `--redis`, the variable that REDIS_PROVIDER names, REDIS_URL. What the environment says of HTTP does
 * not count.
 *
 * @throws UsageError if there is none, or it is not usable
 */
export function findTcpRedis({ redis }: Pick<ConnectionOptions, "redis">, env: Environment): RedisAddress {
  const { REDIS_PROVIDER, REDIS_URL } = env;
  if (redis === undefined && !REDIS_PROVIDER && !REDIS_URL) {
    throw new UsageError("no Redis: expected --redis URL, or REDIS_PROVIDER or REDIS_URL in the environment");
  }
  const expectTcp = (url: string, source: string): void => {
    if (!isHttp(url)) return;
    throw new UsageError(`${source}: expected a redis:// or rediss:// URL, got ${withoutCredentials(url)}`);
  };
  const provided = REDIS_PROVIDER ? { [REDIS_PROVIDER]: env[REDIS_PROVIDER] } : {};
  if (redis !== undefined) expectTcp(redis, "--redis");
  else
    for (const [name, url] of Object.entries(REDIS_PROVIDER ? provided : { REDIS_URL })) if (url) expectTcp(url, name);
  return findRedis(redis === undefined ? {} : { redis }, { ...provided, REDIS_PROVIDER, REDIS_URL });
}

/** Opens a client for an address: HTTP by the Upstash REST protocol, or TCP. */
export async function connectRedis(address: RedisAddress): Promise<RedisClient> {
  // Imported when needed: a client library costs more to load than the rest of the command line.
  if (isHttp(address.url)) {
    const { upstash } = await import("../redis/upstash.ts");
    return upstash({ url: address.url, token: address.token ?? "" });
  }
  const { ioredis } = await import("../redis/ioredis.ts");
  return ioredis(address.url);
}

function checkAddress(url: string, token: string | undefined, source: string, tokenSource = "--token"): RedisAddress {
  if (!URL.canParse(url) || !/^(https?|rediss?):\/\/./.test(url)) {
    throw new UsageError(`${source}: ${SCHEMES}, got ${JSON.stringify(withoutCredentials(url))}`);
  }
  if (!isHttp(url)) {
    if (token === undefined) return { url, source };
    throw new UsageError(`${source}: --token goes with an http(s):// URL; a redis:// URL bears its password itself`);
  }
  if (!token) throw new UsageError(`${source}: an HTTP Redis needs its token; expected ${tokenSource}`);
  return { url, token, source };
}

function isHttp(url: string): boolean {
  return /^https?:\/\//.test(url);
}

/** A host's name, perhaps with a port, and nothing that might be a token. */
const HOST = /^(?:[a-z-]{1,20}|[a-z\d-]+(?:\.[a-z\d-]+)+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

/** What may be printed of a URL that someone mistyped: the scheme and the host, if it has them; no user, no password, no path, no token. */
function withoutCredentials(url: string): string {
  const [, scheme = "", rest = ""] = /^([a-z][a-z\d+.-]*:\/\/)?(.*)$/is.exec(url) ?? [];
  const at = rest.lastIndexOf("@");
  const host = rest.slice(at + 1).replace(/[/?#].*$/s, "");
  return `${scheme}${at < 0 ? "" : "…@"}${HOST.test(host) ? host : "…"}`;
}
