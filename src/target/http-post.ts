import { type Directive, retry } from "../core/directive.ts";
import { createCallLimit } from "./call-limit.ts";
import { type HttpTaken, readHttpAnswer } from "./http-answer.ts";
import type { CheckedEndpoint } from "./http-endpoint.ts";
import { HttpError } from "./http-error.ts";
import { PrivateAddressError } from "./http-send.ts";
import { createSendHere } from "./http-send-here.ts";

export interface HttpPostOptions {
  /** How long the endpoint may take for its whole answer, in milliseconds. @default as long as the job may take; with `acknowledge`, 10 s */
  readonly timeoutMs?: number;
  /**
   * Fails jobs whose endpoint is not on the internet, for addresses that somebody else chooses. Where Node runs, the addresses are checked that
   * the name leads to; elsewhere the URL's own text alone. @default false
   */
  readonly refusePrivateAddresses?: boolean;
  /** No more than this is read of an answer. @default 4_000_000 */
  readonly maxReplyBytes?: number;
}

export interface HttpPostRequest {
  readonly endpoint: CheckedEndpoint;
  /** Tells the receiver which message it is: the same each time that it is sent. */
  readonly id: string;
  readonly body: string;
  readonly signal: AbortSignal;
  readonly limitMs: number;
}

/** Sends one signed POST. Rejects with an {@link HttpError} if the jobs in it have failed by the answer, and with the signal's reason. */
export type HttpPost = (request: HttpPostRequest) => Promise<HttpTaken | Directive>;

const DEFAULT_MAX_REPLY_BYTES = 4_000_000;

export function createHttpPost(options: HttpPostOptions): HttpPost {
  const { refusePrivateAddresses = false, maxReplyBytes = DEFAULT_MAX_REPLY_BYTES } = options;
  const send = createSendHere(refusePrivateAddresses);

  return async ({ endpoint, id, body, signal, limitMs }) => {
    signal.throwIfAborted();
    const { url, webhooks, headers, secrets } = endpoint;
    const { origin } = url;
    const nowMs = Date.now();
    const signed = {
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(nowMs / 1_000)),
      "webhook-signature": webhooks.map((webhook) => webhook.sign(id, new Date(nowMs), body)).join(" "),
    };
    const limit = createCallLimit(signal, limitMs);
    try {
      const answer = await send({ url, body, headers: { ...headers, ...signed }, signal: limit.signal });
      return await readHttpAnswer(answer, { origin, maxReplyBytes, secrets, nowMs });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof HttpError) throw error;
      if (error instanceof PrivateAddressError) throw new HttpError(`${origin}: ${error.message}`);
      const why = limit.signal.aborted ? `within ${limitMs} ms` : (codeOf(error) ?? "the connection failed");
      return retry({ reason: `${origin} gave no whole answer: ${why}` });
    } finally {
      limit.end();
    }
  };
}

/** The network's code, as `ECONNREFUSED`: node:http has it on the error, fetch on its cause. The messages may hold anything. */
function codeOf(error: unknown): string | undefined {
  for (const holder of [error, error instanceof Error ? error.cause : undefined]) {
    if (holder instanceof Error && "code" in holder && typeof holder.code === "string") return holder.code;
  }
  return undefined;
}
