import type { Redis } from "ioredis";
import { createKeys } from "../../../src/resque/keys.ts";
import { idIn } from "../payload-forms.ts";
import type { SoakJob } from "./jobs.ts";
import { SOAK_QUEUES } from "./payload-bytes.ts";
import { SOAK_BACKTRACE, SoakError } from "./soak-job.ts";

/** A promise that was broken, and by which job if it is one's. */
export interface Violation {
  readonly text: string;
  readonly job?: number;
}

const keys = createKeys();

/** Looks at everything that is in Redis when all is over, and compares it with what must be there. */
export async function auditRedis(
  redis: Redis,
  jobs: readonly SoakJob[],
): Promise<{ readonly processed: number; readonly violations: readonly Violation[] }> {
  const violations: Violation[] = [];
  const mustFail = new Map(jobs.filter(({ ending }) => ending !== "done").map((job) => [job.id, job]));
  const count = (name: string, actual: unknown, expected: number): void => {
    if (Number(actual ?? 0) !== expected) violations.push({ text: `${name} is ${actual ?? 0}, not ${expected}` });
  };

  // The last is what node-resque's connection tries whether it can write.
  const usual = [keys.queues, keys.processed, keys.failures, keys.failed, "resque:connection_test_key"];
  for (const key of (await redis.keys("*")).sort()) {
    if (!usual.includes(key)) violations.push({ text: `left behind: ${key}, ${await describe(redis, key)}` });
  }
  const queues = (await redis.smembers(keys.queues)).sort();
  const unknown = queues.filter((queue) => !(SOAK_QUEUES as readonly string[]).includes(queue));
  if (unknown.length > 0) violations.push({ text: `${keys.queues} holds ${unknown.join(", ")}` });
  const processed = await redis.get(keys.processed);
  count("stat:processed", processed, jobs.length);
  count("stat:failed", await redis.get(keys.failures), mustFail.size);

  const seen = new Set<number>();
  for (const entry of await redis.lrangeBuffer(keys.failed, 0, -1)) {
    const id = idIn(entry.toString("latin1"));
    const job = mustFail.get(id ?? -1);
    const text = entry.toString("latin1");
    if (id === undefined || !job) {
      violations.push({ text: `an entry in failed for a job that does not fail: ${text}`, ...(id && { job: id }) });
    } else if (seen.has(id)) violations.push({ text: `job ${id} is in failed twice`, job: id });
    else {
      seen.add(id);
      const wrong = whatIsWrong(entry, job);
      if (wrong) violations.push({ text: `job ${id}: ${wrong}: ${text}`, job: id });
    }
  }
  for (const id of mustFail.keys()) if (!seen.has(id)) violations.push({ text: `job ${id} is not in failed`, job: id });
  return { processed: Number(processed), violations };
}

const ENTRY =
  /^\{"failed_at":"(\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \S+)","payload":(.*),("exception":.*),"worker":"airlift-[^"]*:\d+-\d+:[^"]*","queue":"([^"]*)"\}$/s;

/** What is wrong with an entry of the failed list; undefined if it is, byte for byte, what it must be. */
export function whatIsWrong(entry: Buffer, { id, bytes, queue, ending }: SoakJob): string | undefined {
  const match = ENTRY.exec(entry.toString("latin1"));
  if (!match) return "the entry is none of Resque's";
  const [, , payload = "", failure = "", inQueue = ""] = match;
  if (utf8(inQueue) !== queue) return `the queue is not ${queue}`;
  if (ending === "malformed")
    return showsBytes(payload, bytes) ? undefined : "the entry does not show the payload's bytes";
  const original = bytes.toString("latin1");
  // What stands behind the last brace gives way to Airlift's own member, which is gone again here.
  if (payload !== original && payload !== original.trimEnd()) return "the payload has changed";
  if (ending === "unknown-class") return failure.includes("Nobody::Knows") ? undefined : "the failure is another";
  const error = new SoakError(id);
  const expected = JSON.stringify({ exception: error.name, error: error.message, backtrace: SOAK_BACKTRACE });
  return utf8(failure) === expected.slice(1, -1) ? undefined : "the failure is another";
}

/** Whether the argument of a MalformedPayload is the payload: as text, or each byte a character if it is none. */
function showsBytes(payload: string, bytes: Buffer): boolean {
  const shown = JSON.parse(utf8(payload)) as { class?: unknown; args?: readonly unknown[] };
  const [text, ...rest] = shown.args ?? [];
  if (shown.class !== "MalformedPayload" || typeof text !== "string" || rest.length > 0) return false;
  return [Buffer.from(text, "utf8"), Buffer.from(text, "latin1")].some((candidate) => isSame(candidate, bytes));
}

/** Up to the member that recovery writes into what looks like an object. */
function isSame(candidate: Buffer, bytes: Buffer): boolean {
  const text = candidate.toString("latin1").replace(/,"airlift":\{"crashes":\d+\}\}$/, "}");
  return text === bytes.toString("latin1");
}

function utf8(text: string): string {
  return Buffer.from(text, "latin1").toString("utf8");
}

async function describe(redis: Redis, key: string): Promise<string> {
  const type = await redis.type(key);
  const commands: Record<string, readonly [string, ...string[]]> = {
    ...{ string: ["GET", key], list: ["LRANGE", key, "0", "4"], set: ["SMEMBERS", key], hash: ["HGETALL", key] },
    zset: ["ZRANGE", key, "0", "4", "WITHSCORES"],
  };
  const [name, ...args] = commands[type] ?? ["TYPE", key];
  return `${type} ${JSON.stringify(await redis.call(name, ...args)).slice(0, 600)}`;
}
