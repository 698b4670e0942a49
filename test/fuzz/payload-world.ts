import { inspect } from "node:util";
import * as v from "valibot";
import { activeJob } from "../../src/active-job/active-job.ts";
import { type Airlift, type AirliftOptions, createAirlift } from "../../src/airlift.ts";
import type { AnyJobDefinition } from "../../src/core/registry.ts";
import type { DrainReport } from "../../src/core/report.ts";
import type { connectRaw, RawCommand, RawReply } from "../../src/redis/ioredis-connection.ts";
import { createKeys, type Keys } from "../../src/resque/keys.ts";
import type { RunningSetup } from "../support/setups.ts";

/** What a run of a drain over hostile payloads has left. */
export interface Ending {
  readonly report: DrainReport;
  /** Payloads of the jobs that ended well, as their handlers were given them. */
  readonly ran: Buffer[];
  /** Numbers of the good neighbours, as often as they ran. */
  readonly good: readonly unknown[];
  /** Everything that was logged, told to listeners, or thrown. */
  readonly told: string;
}

/** One namespace of a Redis, with an app in it whose classes hostile payloads name. */
export class PayloadWorld {
  readonly keys: Keys;
  readonly #setup: RunningSetup;
  readonly #raw: ReturnType<typeof connectRaw>;
  readonly #namespace: string;

  constructor(setup: RunningSetup, raw: ReturnType<typeof connectRaw>, namespace: string) {
    this.#setup = setup;
    this.#raw = raw;
    this.#namespace = namespace;
    this.keys = createKeys(namespace);
  }

  async send(...commands: RawCommand[]): Promise<RawReply[]> {
    const replies = await this.#raw.send(commands);
    const error = replies.find((reply) => reply instanceof Error);
    if (error) throw error;
    return replies;
  }

  async list(key: string | Buffer): Promise<Buffer[]> {
    const [reply] = await this.send(["LRANGE", key, 0, -1]);
    return (reply as Uint8Array[]).map((bytes) => Buffer.from(bytes));
  }

  async number(key: string): Promise<number> {
    const [reply] = await this.send(["GET", key]);
    return Number(reply === null ? 0 : Buffer.from(reply as Uint8Array).toString());
  }

  async keyNames(): Promise<string[]> {
    const [reply] = await this.send(["KEYS", `${this.#namespace}:*`]);
    return (reply as Uint8Array[]).map((bytes) => Buffer.from(bytes).toString("latin1")).sort();
  }

  async flush(): Promise<void> {
    const [reply] = await this.send(["KEYS", `${this.#namespace}:*`]);
    const names = reply as Uint8Array[];
    if (names.length > 0) await this.send(["DEL", ...names]);
  }

  /** An app without classes, to look and to operate. */
  app(options: Partial<AirliftOptions> = {}): Airlift {
    return createAirlift({
      redis: this.#setup.client,
      namespace: this.#namespace,
      queues: ["q"],
      jobs: [],
      ...options,
    });
  }

  /** Drains with an app that has all of the classes, until nothing is left. */
  async drain(options: Partial<AirliftOptions> = {}): Promise<Ending> {
    const ran: Buffer[] = [];
    const good: unknown[] = [];
    const told: string[] = [];
    const tell = (...what: unknown[]): void => void told.push(inspect(what, { depth: 12, maxStringLength: null }));
    const logger = { debug: tell, info: tell, warn: tell, error: tell };
    const run = (_args: unknown, { raw }: { readonly raw: string }): void => void ran.push(Buffer.from(raw));
    const jobs: AnyJobDefinition[] = [
      { class: "Good", perform: ([n]: readonly unknown[]) => void good.push(n) },
      { class: "Job", perform: run },
      { class: "Retried", retry: { limit: 2, backoff: [1] }, perform: () => Promise.reject(new Error("again")) },
      {
        class: "Limited",
        limit: { running: 1, rate: { jobs: 100_000, periodMs: 60_000 }, by: [0, "a"] },
        perform: run,
      },
      { class: "Unique", unique: { until: "done", key: (args) => String(JSON.stringify(args[0])) }, perform: run },
      { class: "Typed", args: v.tuple([v.strictObject({ a: v.string() })]), perform: run },
      activeJob({ class: "Rails", perform: run }),
    ];
    const app = createAirlift({
      ...{ redis: this.#setup.client, namespace: this.#namespace, queues: ["q"], jobs, concurrency: 3 },
      ...{ logger, onEvent: tell, status: { ttlMs: 60_000, results: true } },
      ...options,
    });
    try {
      const report = await app.drain();
      return { report, ran, good, told: told.join("\n") };
    } catch (error) {
      tell(error);
      throw Object.assign(error as Error, { told: told.join("\n") });
    }
  }
}

const OWN = /,"airlift":(\{[^{}]*\})\}$/;
const NAMES = ["crashes", "retries", "unique", "id"];

/**
 * What is left of a payload without Airlift's own member, and without white space at its end: each of its bytes as a character.
 *
 * @param most so many members like it are taken off: hostile payloads may end in some, of which Airlift's may be the last
 */
export function essenceOf(bytes: Uint8Array, most = 8): string {
  const text = Buffer.from(bytes)
    .toString("latin1")
    .replace(/[ \t\r\n]+$/, "");
  const member = OWN.exec(text)?.[1];
  if (member === undefined || most === 0 || !isOwn(member)) return text;
  return essenceOf(Buffer.from(text.replace(OWN, "}"), "latin1"), most - 1);
}

/** Whether it is written exactly as Airlift writes its member. */
function isOwn(text: string): boolean {
  try {
    const own = JSON.parse(text) as object;
    const isRight = ([name, value]: readonly [string, unknown]): boolean =>
      NAMES.indexOf(name) < 2
        ? NAMES.includes(name) && Number.isSafeInteger(value) && Number(value) > 0
        : typeof value === "string" && /^[\w.:-]{1,100}$/.test(value);
    return text !== "{}" && Object.entries(own).every(isRight) && JSON.stringify(own) === text;
  } catch {
    return false;
  }
}

/**
 * What the payload in a failed entry may have been in its queue; fails if the entry is no JSON, or no UTF-8. What is no payload stands there as a text,
 * and if it is no UTF-8, or nobody looked, as a character for each byte.
 */
export function payloadsIn(entry: Buffer): readonly Buffer[] {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(entry);
  const { payload, failed_at, ...rest } = JSON.parse(text) as Record<string, unknown> & {
    readonly payload: { readonly class: string; readonly args: readonly string[] };
  };
  const before = `{"failed_at":${JSON.stringify(failed_at)},"payload":`;
  const after = `,${JSON.stringify(rest).slice(1)}`;
  if (!text.startsWith(before) || !text.endsWith(after)) throw new Error(`not as Ruby writes it: ${text}`);
  if (payload.class !== "MalformedPayload") return [Buffer.from(text.slice(before.length, -after.length))];
  const [original = ""] = payload.args;
  return [Buffer.from(original), Buffer.from(original, "latin1")];
}

/** What is found of payloads that is none of them, and which of them are not found. */
export function compareEssences(
  payloads: readonly Buffer[],
  { ran, failed }: { readonly ran: readonly Buffer[]; readonly failed: readonly Buffer[] },
): { readonly strange: readonly string[]; readonly missing: readonly string[] } {
  const missing = payloads.map((bytes) => essenceOf(bytes));
  const strange: string[] = [];
  for (const found of [...ran.map((bytes) => [bytes]), ...failed.map(payloadsIn)]) {
    const at = found
      .map((bytes) => essenceOf(bytes))
      .map((essence) => missing.indexOf(essence))
      .find((index) => index >= 0);
    if (at === undefined) strange.push(essenceOf(found[0] as Buffer));
    else missing.splice(at, 1);
  }
  return { strange, missing };
}
