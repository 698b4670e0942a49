import type { Requester, UpstashRequest, UpstashResponse } from "@upstash/redis/cloudflare";
import { StoreError, type StoreErrorReason } from "../core/errors.ts";
import type { RedisCommand } from "../resque/client.ts";
import { createHttpPoster } from "./http-post.ts";
import { type HttpAnswer, type HttpPoster, PostError } from "./http-poster.ts";
import { reasonOfReply } from "./reply-error.ts";

/** An error that Redis, or the REST endpoint in front of it, gave as its answer. Never leaves this folder: `text` is raw. */
export class ReplyFailure extends Error {
  readonly text: string;
  readonly reason: StoreErrorReason;
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(text: string, status: number, retryAfterMs: number | undefined) {
    super("Redis answered with an error");
    this.text = text;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    const byText = reasonOfReply(text);
    this.reason = byText === "rejected" ? (reasonOfStatus(status) ?? byText) : byText;
  }
}

export interface RestTransportOptions {
  /** Base URL, no slash at its end. */
  readonly url: string;
  readonly token: string;
  readonly requestTimeoutMs: number;
  /** Names client and address in messages. */
  readonly description: string;
}

/** One item of a reply to `/pipeline` or `/multi-exec`. */
export type RestItem = UpstashResponse<unknown>;

/**
 * Carries requests. It stands in for the SDK's own HttpClient, which hides the HTTP status and Retry-After,
 * rounds integers beyond 2^53, puts whole commands into its messages, and repeats a request whose reply was lost.
 */
export class RestTransport implements Requester {
  readonly #poster: HttpPoster;
  readonly #description: string;
  readonly #timeoutMs: number;

  constructor({ url, token, requestTimeoutMs, description }: RestTransportOptions) {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    this.#poster = createHttpPoster({ url, headers, timeoutMs: requestTimeoutMs });
    this.#description = description;
    this.#timeoutMs = requestTimeoutMs;
  }

  /** Sends one request, once. Rejects with a ReplyFailure for an error reply, and with a StoreError for no reply. */
  async request<TResult = unknown>(req: UpstashRequest): Promise<UpstashResponse<TResult>> {
    const path = req.path === undefined ? "" : `/${req.path.join("/")}`;
    const { status, retryAfter, text } = await this.#post(path, JSON.stringify(req.body));
    const body = parseBody(text);
    if (typeof body === "object" && body !== null) {
      if ("error" in body && typeof body.error === "string") {
        throw new ReplyFailure(body.error, status, parseRetryAfter(retryAfter));
      }
      // The SDK's type promises a TResult that only the caller knows; both shapes below are what its methods expect, several commands having a path.
      if (status === 200 && (req.path ? Array.isArray(body) : "result" in body))
        return body as UpstashResponse<TResult>;
    }
    throw this.#noReply(status, retryAfter);
  }

  /** Sends several commands, which the SDK's own pipelines only take if they have a method for each. */
  async batch(path: "pipeline" | "multi-exec", commands: readonly RedisCommand[]): Promise<RestItem[]> {
    const items = (await this.request({ path: [path], body: commands })) as RestItem[]; // as request() has seen
    if (items.length !== commands.length) throw new TypeError("not one reply for each command");
    return items;
  }

  /** Closes idle connections; a later request opens new ones. */
  close(): void {
    this.#poster.close();
  }

  async #post(path: string, body: string): Promise<HttpAnswer> {
    try {
      return await this.#poster.post(path, body);
    } catch (error) {
      const code = error instanceof PostError ? error.code : undefined;
      throw new StoreError("unavailable", `${this.#description}: ${describeNetworkError(code, this.#timeoutMs)}`);
    }
  }

  #noReply(status: number, retryAfter: string | null): StoreError {
    const retryAfterMs = parseRetryAfter(retryAfter);
    return new StoreError(
      reasonOfStatus(status) ?? "unavailable",
      `${this.#description}: HTTP ${status} with a body that is not a Redis reply`,
      { status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
    );
  }
}

function reasonOfStatus(status: number): StoreErrorReason | undefined {
  if (status === 401 || status === 403) return "unauthorized";
  if (status === 429) return "throttled";
  if (status === 413) return "rejected";
  if (status >= 500 || (status >= 300 && status < 400)) return "unavailable";
  return undefined;
}

function parseBody(text: string): unknown {
  try {
    const body: unknown = JSON.parse(text);
    return hasUnsafeInteger(body) ? JSON.parse(text, keepDigits) : body;
  } catch {
    return undefined;
  }
}

function hasUnsafeInteger(value: unknown): boolean {
  if (typeof value === "number") return !Number.isSafeInteger(value);
  if (Array.isArray(value)) return value.some(hasUnsafeInteger);
  return typeof value === "object" && value !== null && "result" in value && hasUnsafeInteger(value.result);
}

/** Every engine that this runs on passes the source text of a number (ES2026), which TypeScript's library does not know yet. */
function keepDigits(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === "number" && !Number.isSafeInteger(value) ? (context?.source ?? String(value)) : value;
}

function parseRetryAfter(header: string | null): number | undefined {
  if (header === null || header.trim() === "") return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

function describeNetworkError(code: string | undefined, timeoutMs: number): string {
  if (code === "timeout") return `no answer within ${timeoutMs} ms`;
  if (code === "ECONNREFUSED") return "connection refused (ECONNREFUSED)";
  if (code === "ENOTFOUND") return "host not found (ENOTFOUND)";
  return code === undefined ? "request failed" : `request failed (${code})`;
}
