/**
 * The Upstash REST protocol in front of any Redis (https://upstash.com/docs/redis/features/restapi).
 *
 * Where it differs from Upstash:
 * - no `/monitor` and `/subscribe` (server-sent events), and no `Upstash-Response-Format: resp2` (400)
 * - one set of tokens, all with full rights; no read-only tokens, no `ACL RESTTOKEN`
 * - a body that is too large is answered with 413, and so are more than 20,000 commands, or 500,000 words, in one request
 * - no `SCRIPT DEBUG`
 * - no quotas, no `upstash-sync-token`: there is one Redis, and it is always current
 * - no CORS headers: a token with full rights has no place in a browser
 * - `allow-key-locking` is taken off scripts, since Redis has no such locks
 */
import { type Context, Hono } from "hono";
import { isStoreError } from "../core/errors.ts";
import type { RawRedis, RawReply } from "../redis/ioredis-connection.ts";
import { createTokenCheck } from "./bearer.ts";
import { refusal } from "./command-rules.ts";
import { type ReplyBody, toReplyBody } from "./encode-reply.ts";
import { KeyLockingFilter } from "./key-locking.ts";
import { type GatewayCommand, parseCommand, parseCommands, parsePath, RequestSyntaxError } from "./parse-request.ts";
import { BodyTooLargeError, readBody } from "./read-body.ts";

export interface GatewayOptions {
  /** The Redis behind it. */
  readonly connect: RawRedis;
  /** Bearer tokens that may call it; at least one. */
  readonly tokens: readonly string[];
  /**
   * Largest request body, in bytes.
   *
   * @default 10_485_760 (10 MB, Upstash's limit)
   */
  readonly maxRequestBytes?: number;
}

export const DEFAULT_MAX_REQUEST_BYTES: number = 10 * 1024 * 1024;

/**
 * The gateway as a Hono app.
 *
 * @throws UsageError without a usable token
 */
export function createGateway(options: GatewayOptions): Hono {
  const { connect: redis, tokens, maxRequestBytes = DEFAULT_MAX_REQUEST_BYTES } = options;
  const isAllowed = createTokenCheck(tokens);
  const filter = new KeyLockingFilter();
  const run = (commands: readonly GatewayCommand[]) => runPipeline(redis, filter, commands);

  const app = new Hono();
  app.all("*", async (c) => {
    const { method, url } = c.req;
    const { pathname, query } = splitUrl(url);
    if (!isAllowed(tokenOf(c, query))) return answer(401, { error: "WRONGPASS invalid or missing auth token" });
    if (method !== "POST" && method !== "GET" && method !== "PUT" && method !== "HEAD") {
      return answer(405, { error: "ERR method not allowed" }, { allow: "HEAD, GET, POST, PUT" });
    }
    const format = c.req.header("upstash-response-format");
    if (format !== undefined && format !== "json") return answer(400, { error: "ERR unsupported response format" });
    const isBase64 = c.req.header("upstash-encoding") === "base64";
    const hasBody = method === "POST" || method === "PUT";

    if (pathname === "/pipeline" && hasBody) {
      const replies = await run(parseCommands(decode(await readBody(c.req.raw, maxRequestBytes))));
      return answer(
        200,
        replies.map((reply) => toReplyBody(reply, isBase64)),
      );
    }
    if (pathname === "/multi-exec" && hasBody) {
      const commands = parseCommands(decode(await readBody(c.req.raw, maxRequestBytes)));
      const replies = await runTransaction(redis, filter, commands);
      if (replies instanceof Error) return answer(400, { error: replies.message });
      return answer(
        200,
        replies.map((reply) => toReplyBody(reply, isBase64)),
      );
    }
    const body = hasBody ? await readBody(c.req.raw, maxRequestBytes) : undefined;
    const command =
      pathname === "/" && body !== undefined ? parseCommand(decode(body)) : parsePath(pathname, query, body);
    const [reply] = await run([command]);
    return answer(reply instanceof Error ? 400 : 200, toReplyBody(reply, isBase64));
  });
  app.onError((error) => {
    if (error instanceof RequestSyntaxError) return answer(400, { error: error.message });
    if (error instanceof BodyTooLargeError) return answer(413, { error: error.message });
    // No code of Redis' before it, so that clients do not take it for an answer of Redis'.
    if (isStoreError(error)) return answer(503, { error: `Redis is unavailable (${error.message})` });
    if (error instanceof RangeError)
      return answer(500, { error: "the reply is too large for JSON, or nested too deeply" });
    return answer(500, { error: "internal error" });
  });
  return app;
}

async function runPipeline(
  redis: RawRedis,
  filter: KeyLockingFilter,
  commands: readonly GatewayCommand[],
): Promise<RawReply[]> {
  const refusals = commands.map(refusal);
  const accepted = commands.filter((_, index) => refusals[index] === undefined);
  const replies = accepted.length === 0 ? [] : await redis.send(accepted.map((command) => filter.rewrite(command)));
  let next = 0;
  return commands.map((command, index) => {
    const refused = refusals[index];
    return refused === undefined ? renamed(filter, command, replies[next++] ?? null) : new Error(refused);
  });
}

/** The replies, or the error for which nothing was done. */
async function runTransaction(
  redis: RawRedis,
  filter: KeyLockingFilter,
  commands: readonly GatewayCommand[],
): Promise<RawReply[] | Error> {
  for (const command of commands) {
    const refused = refusal(command);
    if (refused !== undefined) return new Error(refused);
  }
  const replies = await redis.send([["MULTI"], ...commands.map((command) => filter.rewrite(command)), ["EXEC"]]);
  const results = replies.at(-1);
  if (Array.isArray(results)) return results.map((reply, index) => renamed(filter, commands[index] ?? [""], reply));
  // The command that could not be queued says why; EXEC only says that it was discarded.
  return replies.find((reply) => reply instanceof Error) ?? new Error("ERR the transaction was discarded");
}

function renamed(filter: KeyLockingFilter, command: GatewayCommand, reply: RawReply): RawReply {
  if (!(reply instanceof Uint8Array) || reply.length !== 40) return reply;
  const sha1 = filter.loadedAs(command);
  return sha1 === undefined ? reply : Buffer.from(sha1);
}

function tokenOf(c: Context, query: string): string | undefined {
  const header = c.req.header("authorization");
  if (header !== undefined) return /^bearer +(\S+)$/i.exec(header)?.[1];
  return query === "" ? undefined : (new URLSearchParams(query).get("_token") ?? undefined);
}

function splitUrl(url: string): { pathname: string; query: string } {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const mark = url.indexOf("?", start);
  return mark === -1
    ? { pathname: url.slice(start), query: "" }
    : { pathname: url.slice(start, mark), query: url.slice(mark + 1) };
}

function decode(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8");
}

function answer(
  status: number,
  body: ReplyBody | readonly ReplyBody[],
  headers: Record<string, string> = {},
): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
}
