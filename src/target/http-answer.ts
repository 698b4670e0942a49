import { type Directive, retry } from "../core/directive.ts";
import { parseJson } from "../core/json.ts";
import { HttpError } from "./http-error.ts";
import type { HttpAnswer } from "./http-send.ts";

/** The jobs were taken. */
export interface HttpTaken {
  readonly kind: "taken";
  readonly status: number;
  /** The JSON that came back, if any. */
  readonly reply: unknown;
}

export interface ReadHttpAnswerOptions {
  /** Names the endpoint in messages. */
  readonly origin: string;
  readonly maxReplyBytes: number;
  /** Texts that an endpoint may echo, and that nobody else should see. */
  readonly secrets: readonly string[];
  readonly nowMs: number;
}

/** The answers in 4xx that say "not now". */
const AGAIN = [408, 425, 429];
/** Beyond this an endpoint's wish is a mistake, or holds the job for ever. */
const MAX_RETRY_AFTER_MS = 86_400_000;
const EXCERPT_BYTES = 2_000;
/** An answer whose status says enough is not waited for longer than this. */
const EXCERPT_MS = 1_000;
const EXCERPT_CHARS = 500;

/** Rejects with an {@link HttpError} if the jobs have failed by the answer, with another error if it breaks off. */
export async function readHttpAnswer(
  answer: HttpAnswer,
  options: ReadHttpAnswerOptions,
): Promise<HttpTaken | Directive> {
  const { status } = answer;
  const { origin } = options;
  if (status >= 200 && status < 300) return { kind: "taken", status, reply: await readReply(answer, options) };
  if (AGAIN.includes(status) || (status >= 500 && status < 600)) {
    const afterMs = readRetryAfter(answer.header("retry-after"), options.nowMs);
    await readExcerpt(answer, options);
    const reason = `${origin} answered HTTP ${status}`;
    return retry({ reason, ...(afterMs > 0 && { afterMs }) });
  }
  const excerpt = await readExcerpt(answer, options);
  if (status >= 300 && status < 400) {
    throw new HttpError(`${origin} answered HTTP ${status}, a redirect, which is not followed`, status);
  }
  throw new HttpError(`${origin} answered HTTP ${status}${excerpt && `: ${excerpt}`}`, status);
}

/** The JSON that came back. An endpoint may say anything else as well, of any length: its status has said enough. */
async function readReply(answer: HttpAnswer, { origin, maxReplyBytes }: ReadHttpAnswerOptions): Promise<unknown> {
  const isJson = /^application\/([\w.-]+\+)?json\b/i.test(answer.header("content-type") ?? "");
  const { text, isWhole, error } = await readText(answer, isJson ? maxReplyBytes : EXCERPT_BYTES);
  // What broke off may have told of a failure.
  if (error !== undefined) throw error;
  if (!isJson) return undefined;
  if (isWhole) return parse(text);
  if (!IS_OURS.test(text) || IS_DONE.test(text)) return undefined;
  throw new HttpError(`${origin} answered with more than ${maxReplyBytes} bytes`, answer.status);
}

/** The beginnings of Airlift's replies, and of those of a job whose result alone may be so long. */
const IS_OURS = /^\s*\{\s*"airlift"\s*:/;
const IS_DONE = /^\{"airlift":1,"outcome":\{"kind":"ok"[,}]/;

function parse(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/** In milliseconds; 0 if it says nothing. */
function readRetryAfter(header: string | null, nowMs: number): number {
  const text = header?.trim() ?? "";
  const afterMs = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Math.min(Math.max(0, afterMs || 0), MAX_RETRY_AFTER_MS);
}

/** The beginning of what an answer says in words. One that breaks off, or does not end, says what it has said. */
async function readExcerpt(answer: HttpAnswer, { secrets }: ReadHttpAnswerOptions): Promise<string> {
  const timer = setTimeout(() => answer.close(), EXCERPT_MS);
  const { text } = await readText(answer, EXCERPT_BYTES);
  clearTimeout(timer);
  if (!/^(text\/plain|application\/([\w.-]+\+)?json)\b/i.test(answer.header("content-type") ?? "")) return "";
  const safe = secrets.reduce((rest, secret) => rest.replaceAll(secret, "[redacted]"), text);
  return safe
    .slice(0, EXCERPT_CHARS)
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim();
}

interface AnswerText {
  readonly text: string;
  readonly isWhole: boolean;
  /** Why it broke off. */
  readonly error?: unknown;
}

/** Closes the connection of an answer that says more than `maxBytes`. */
async function readText({ body, close }: HttpAnswer, maxBytes: number): Promise<AnswerText> {
  const decoder = new TextDecoder();
  let text = "";
  let room = maxBytes;
  try {
    for await (const chunk of body) {
      text += decoder.decode(chunk.subarray(0, room), { stream: true });
      room -= chunk.length;
      if (room < 0) {
        close();
        return { text, isWhole: false };
      }
    }
    return { text, isWhole: true };
  } catch (error) {
    return { text, isWhole: false, error };
  }
}
