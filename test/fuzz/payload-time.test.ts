import { describe, expect, test } from "vitest";
import { deserializeArguments } from "../../src/active-job/deserialize.ts";
import { GlobalId } from "../../src/active-job/global-id.ts";
import { RubyTime } from "../../src/active-job/ruby-time.ts";
import { RubyBigDecimal } from "../../src/active-job/ruby-values.ts";
import { toLine, toLines, toSafeJson } from "../../src/cli/terminal-text.ts";
import { toFailure } from "../../src/core/failure.ts";
import { describeIssues } from "../../src/core/schema-issues.ts";
import { readCronText } from "../../src/cron/cron-text.ts";
import { parseDuration } from "../../src/cron/duration.ts";
import { parseState } from "../../src/cron/schedule-state.ts";
import { reasonOfReply, redactReply } from "../../src/redis/reply-error.ts";
import { readFailedJob } from "../../src/resque/admin/failed-job.ts";
import { readQueuedJob } from "../../src/resque/admin/queues.ts";
import { needleOf } from "../../src/resque/admin/read-list.ts";
import { readTime } from "../../src/resque/admin/read-time.ts";
import { parseWorkerId } from "../../src/resque/admin/worker-id.ts";
import { readWorkingOn } from "../../src/resque/admin/workers.ts";
import { cutOut, readDelayedItem } from "../../src/resque/delayed-item.ts";
import { parseDescription } from "../../src/resque/drain-identity.ts";
import { readLockValue } from "../../src/resque/encode-unique.ts";
import { compileFnmatch } from "../../src/resque/fnmatch.ts";
import { createKeys } from "../../src/resque/keys.ts";
import { changeOwn, forgetAttempts, parsePayload } from "../../src/resque/payload.ts";
import { parseRubyTime } from "../../src/resque/ruby-time.ts";
import { findEntryHead } from "../../src/resque/slot-entry.ts";
import { lockOf } from "../../src/resque/unique-lock.ts";

/** Texts of about so many characters, each of which some reader might take more time over than it is long. */
const PAYLOADS: Readonly<Record<string, (length: number) => string>> = {
  "one string": (n) => `{"class":"Job","args":["${"x".repeat(n)}"]}`,
  "escapes alone": (n) => `{"class":"Job","args":["${"\\n\\\\\\ud83d".repeat(n / 10)}"]}`,
  "many numbers": (n) => `{"class":"Job","args":[${"1234567890123456,".repeat(n / 17)}0]}`,
  "one number": (n) => `{"class":"Job","args":[${"9".repeat(n / 10)}]}`,
  "many levels": (n) => `{"class":"Job","args":${"[".repeat(n / 2)}${"]".repeat(n / 2)}}`,
  "levels without an end": (n) => '{"a":['.repeat(n / 6),
  "one name again and again": (n) => `{${'"class":"Job",'.repeat(n / 14)}"args":[]}`,
  "many names": (n) => `{${Array.from({ length: n / 12 }, (_, i) => `"n${i}":${i}`).join(",")}}`,
  "members that look like Airlift's": (n) => `{"class":"Job","args":[]${',"airlift":{"crashes":1}'.repeat(n / 24)}}`,
  "beginnings that look like Airlift's": (n) => `{"class":"Job"${',"airlift":{'.repeat(n / 12)}`,
  "many queues": (n) => `{"class":"Job","args":[]${',"queue":"q"'.repeat(n / 12)}}`,
  "queues within": (n) => `{"class":"Job","args":[${'{"queue":"q"},'.repeat(n / 14)}0],"queue":"q"}`,
  "closing braces": (n) => `{"class":"Job"${"}".repeat(n)}`,
  "closing braces and blanks": (n) => `{"class":"Job"${"} \n".repeat(n / 3)}x`,
  "blanks behind": (n) => `{"class":"Job","args":[]}${" ".repeat(n)}x`,
  "blanks within": (n) => `{"class":"Job"${" ".repeat(n)}`,
  "quotes and backslashes": (n) => `{"class":"${'\\"'.repeat(n / 2)}`,
  "a long class with a lock": (n) =>
    `{"class":"${"\\u0041".repeat(n / 6)}","args":[1],"airlift":{"unique":"d0123456789ab"}}`,
  "payloads within payloads": (n) => `${'{"payload":'.repeat(n / 12)}1${"}".repeat(n / 12)}`,
  "an entry's head without an end": (n) => `{"claim":"x","queue":"${'","run_at":"'.repeat(n / 12)}`,
  "lines that look like places": (n) => `x\n${"@".repeat(n)}\nat ${"at ".repeat(n / 3)}`,
  "a weekday again and again": (n) => `Mon ${" +0000 (".repeat(n / 8)}`,
  "a number and blanks": (n) => `1${" ".repeat(n)}!`,
  digits: (n) => "1".repeat(n),
  words: (n) => "a b ".repeat(n / 4),
  slashes: (n) => `gid://${"a/".repeat(n / 2)}`,
  "escape sequences without an end": (n) => "\u001B[".repeat(n / 2),
  "escape sequences with much in them": (n) => `\u001B]${"a;".repeat(n / 2)}`,
  "a lock's value": (n) => `1.1.{${"}.a".repeat(n / 3)}!`,
  "what Redis says of a command": (n) => `ERR ${"command was:x".repeat(n / 13)}`,
  colons: (n) => ":".repeat(n),
};

const keys = createKeys();
const listed = (text: string) => ({ id: "0", text, bytes: text.length, isAbridged: false });
const quietly = (read: () => unknown): unknown => {
  try {
    return read();
  } catch (error) {
    return error;
  }
};
/** Whoever reads a text that others wrote. */
const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  parsePayload,
  changeOwn: (text) => changeOwn(text, { crashes: 1 }),
  forgetAttempts,
  lockOf: (text) => lockOf(text, "q", keys),
  readDelayedItem(text) {
    const item = readDelayedItem(text);
    return item.kind === "job" && cutOut(text, item.cut);
  },
  findEntryHead,
  parseDescription,
  readLockValue,
  readQueuedJob: (text) => readQueuedJob(listed(text)),
  readFailedJob: (text) => readFailedJob(listed(`{"failed_at":${JSON.stringify(text)},"payload":${text}}`)),
  readWorkingOn: (text) => readWorkingOn(`{"run_at":${JSON.stringify(text)},"payload":${text}}`, 0),
  readTime,
  parseRubyTime,
  parseWorkerId,
  needleOf,
  parseDuration,
  readCronText,
  parseState,
  matchQueue: (text) => compileFnmatch("*a*a*b*c")(text),
  matchClasses: (text) => compileFnmatch("[ab]?*[!c]*?x")(text),
  globalId: (text) => new GlobalId(text.slice(0, 100_000)),
  rubyTime: (text) => new RubyTime(text),
  bigDecimal: (text) => new RubyBigDecimal(text),
  deserializeArguments: (text) => deserializeArguments([JSON.parse(text)]),
  toFailure: (text) => toFailure(Object.assign(new Error(text), { stack: text, cause: text })),
  describeIssues: (text) => describeIssues([{ message: text, path: [0] }], [text]),
  redactReply: (text) => [redactReply(text, [text.slice(0, 20)]), reasonOfReply(text)],
  toLine,
  toLines,
  toSafeJson,
};

/** What this thread has computed, in ms: what else the machine does is not in it. */
function computedMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** The least of some runs: what the engine does beside only adds to it. */
function timeOf(run: () => unknown): number {
  const times = Array.from({ length: 3 }, () => {
    const startMs = computedMs();
    quietly(run);
    return computedMs() - startMs;
  });
  return Math.min(...times);
}

const LENGTH = 20_000;
const TIMES = 10;
/** A text ten times as long takes about ten times as long; four times that is noise, and a hundred would be too much. */
const MOST = 45;
/** Below this nothing can be told from noise. */
const LEAST_MS = 0.5;

/** How much longer a text takes that is ten times as long. */
function growthOf(read: (text: string) => unknown, make: (length: number) => string): number {
  const [short, long] = [make(LENGTH), make(LENGTH * TIMES)];
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 5 && least >= MOST; attempt++) {
    const shortMs = Math.max(
      LEAST_MS,
      timeOf(() => read(short)),
    );
    least = Math.min(least, timeOf(() => read(long)) / shortMs);
  }
  return least;
}

describe.each(Object.entries(READERS))("%s", (_name, read) => {
  test("takes no more time over a text than grows with its length", () => {
    const growths = Object.entries(PAYLOADS).map(([what, make]) => ({ what, growth: growthOf(read, make) }));
    expect(growths.filter(({ growth }) => growth >= MOST)).toEqual([]);
  });
});
