import { stringifyJson } from "../core/json.ts";
import { encodePayload, parsePayload } from "./payload.ts";

/**
 * A delayed job as its scheduler wrote it: its payload with one member more, `queue`. resque-scheduler and Airlift put it behind the
 * others, `{"class":…,"args":[…],"queue":…}`, node-resque between them. The text is compared by all of them, so it is never encoded
 * again: a payload is made by cutting the member out.
 */
export type DelayedItem =
  | {
      readonly kind: "job";
      readonly raw: string;
      readonly queue: string;
      readonly class: string;
      readonly args: readonly unknown[];
      readonly cut: Cut;
      /** As node-resque writes it: `queue` comes before `args`. Its times are rounded, all others' cut. */
      readonly isNodes: boolean;
    }
  | { readonly kind: "malformed"; readonly raw: string; readonly queue: string | undefined; readonly reason: string };

/** A part of a text, in a form that holds for any text with the same structure: its `nth` occurrence, from 0. */
export interface Cut {
  readonly text: string;
  readonly nth: number;
}

const OWN_MEMBER = /,"airlift":\{[^{}]*\}\}$/;

/** The item for a payload. Airlift's own member stays the last, so that cutting `queue` out gives the payload's exact text again. */
export function encodeDelayedItem(payload: string, queue: string): string {
  const at = OWN_MEMBER.exec(payload)?.index ?? payload.lastIndexOf("}");
  return `${payload.slice(0, at)},"queue":${JSON.stringify(queue)}${payload.slice(at)}`;
}

/** The item that resque-scheduler and Airlift write for a job without a member of Airlift's own, and the one that node-resque writes. */
export function encodeItemForms(
  queue: string,
  className: string,
  args: readonly unknown[],
): { readonly ruby: string; readonly node: string } {
  return {
    ruby: encodeDelayedItem(encodePayload(className, args), queue),
    node: stringifyJson({ class: className, queue, args }),
  };
}

/** Reads an item. Never throws: what is no job is told with the reason. */
export function readDelayedItem(raw: string): DelayedItem {
  const job = parsePayload(raw);
  if (job.kind === "malformed" && !isObject(raw))
    return { kind: "malformed", raw, queue: undefined, reason: job.reason };
  const member = findQueue(raw);
  const value: unknown = member ? JSON.parse(raw.slice(member.valueAt, member.end)) : undefined;
  const queue = typeof value === "string" && value !== "" ? value : undefined;
  if (job.kind === "malformed") return { kind: "malformed", raw, queue, reason: job.reason };
  if (!member || queue === undefined) {
    return { kind: "malformed", raw, queue, reason: "expected queue to be a non-empty string" };
  }
  const { class: className, args } = job;
  return { kind: "job", raw, queue, class: className, args, cut: cutOf(raw, member), isNodes: member.isBeforeArgs };
}

function isObject(raw: string): boolean {
  try {
    const value: unknown = JSON.parse(raw);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** The payload that is left of an item. */
export function cutOut(raw: string, { text, nth }: Cut): string {
  let at = -1;
  for (let n = 0; n <= nth; n++) at = raw.indexOf(text, at + 1);
  return raw.slice(0, at) + raw.slice(at + text.length);
}

interface Member {
  /** From the comma before it, or the first member's name, to behind its value. */
  readonly start: number;
  readonly valueAt: number;
  readonly end: number;
  readonly isFirst: boolean;
  readonly isBeforeArgs: boolean;
}

/** The member takes a comma with it: the one before, or if it is the first the one behind. */
function cutOf(raw: string, { start, end, isFirst }: Member): Cut {
  const text = raw.slice(start, isFirst && raw[end] === "," ? end + 1 : end);
  let nth = 0;
  for (let at = raw.indexOf(text); at < start; at = raw.indexOf(text, at + 1)) nth++;
  return { text, nth };
}

/** Where the outermost `queue` of a JSON object's text is: of several the last, which is the one that JSON readers see. */
function findQueue(object: string): Member | undefined {
  let found: Member | undefined;
  let hasArgs = false;
  let at = object.indexOf("{") + 1;
  for (let isFirst = true; ; isFirst = false) {
    const nameAt = object.indexOf('"', at);
    if (nameAt < 0) return found;
    const nameEnd = endOfString(object, nameAt);
    const valueAt = object.indexOf(":", nameEnd) + 1;
    const end = endOfValue(object, valueAt);
    const name: unknown = JSON.parse(object.slice(nameAt, nameEnd));
    if (name === "args") hasArgs = true;
    if (name === "queue") found = { start: isFirst ? nameAt : at - 1, valueAt, end, isFirst, isBeforeArgs: !hasArgs };
    if (object[end] !== ",") return found;
    at = end + 1;
  }
}

/** Behind the quote that closes the string that begins here. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at];
    if (char === '"') return at + 1;
    if (char === "\\") at++;
  }
  return text.length;
}

/** The comma or brace that follows the value that begins here. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (char === '"') at = endOfString(text, at) - 1;
    else if (char === "{" || char === "[") depth++;
    else if (depth === 0 && (char === "," || char === "}")) return at;
    else if (char === "}" || char === "]") depth--;
  }
  return text.length;
}
