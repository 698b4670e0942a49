import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { KEY_LOCKING_HEADER } from "../../../../src/redis/script-command.ts";
import type { LuaScript } from "../../../../src/resque/client.ts";
import { ackJob } from "../../../../src/resque/generated/ack-job.generated.ts";
import { closeDrain } from "../../../../src/resque/generated/close-drain.generated.ts";
import { enqueueUnique } from "../../../../src/resque/generated/enqueue-unique.generated.ts";
import { exchange } from "../../../../src/resque/generated/exchange.generated.ts";
import { promoteDelayed } from "../../../../src/resque/generated/promote-delayed.generated.ts";
import { promoteRetries } from "../../../../src/resque/generated/promote-retries.generated.ts";
import { recoverDrain } from "../../../../src/resque/generated/recover-drain.generated.ts";
import { tickSchedules } from "../../../../src/resque/generated/tick-schedules.generated.ts";

/** One command that Redis has carried out. */
export interface SeenCommand {
  /** By Redis' clock, with microseconds behind the point. */
  readonly atMs: number;
  /** In upper case. */
  readonly name: string;
  readonly args: readonly string[];
}

/** What a client has sent: a command, or a script with those that it called. */
export interface SeenCall {
  readonly atMs: number;
  /** Undefined for a plain command, and for a script that is none of those that move jobs. */
  readonly script: string | undefined;
  readonly commands: readonly SeenCommand[];
}

const SCRIPTS: readonly LuaScript[] = [
  ...[ackJob, closeDrain, enqueueUnique, exchange, promoteDelayed, promoteRetries, recoverDrain, tickSchedules],
];
const BY_SHA1 = new Map(SCRIPTS.map(({ sha1, name }) => [sha1, name]));
const BY_SOURCE = new Map(
  SCRIPTS.flatMap(({ source, name }) => [
    [source, name],
    [KEY_LOCKING_HEADER + source, name],
  ]),
);
/** What moves no job, and tells nothing of one. */
const IGNORED =
  /^"(MGET|EXISTS|LLEN|SMEMBERS|HMGET|GET|PING|INFO|ZRANGE|LRANGE|HGETALL|ZSCORE|SCARD|ZCARD|SELECT|CLIENT|COMMAND)"/i;
const LINE = /^\+?(\d+)\.(\d{6}) \[\d+ (lua|[^\]]+)\] (.*)$/s;

/** Reads what a witness has written, call by call. */
export async function* readCalls(file: string): AsyncGenerator<SeenCall> {
  let call: { atMs: number; script: string | undefined; commands: SeenCommand[] } | undefined;
  for await (const line of createInterface({ input: createReadStream(file, "latin1") })) {
    const [, seconds, micros, source, text = ""] = LINE.exec(line) ?? [];
    if (seconds === undefined) continue;
    const atMs = Number(seconds) * 1_000 + Number(micros) / 1_000;
    const isInScript = source === "lua";
    if (!isInScript && call) {
      yield call;
      call = undefined;
    }
    if (IGNORED.test(text)) continue;
    if (!isInScript && /^"(EVALSHA|EVAL)"/i.test(text)) {
      const [, what = ""] = readWords(text, 2);
      call = { atMs, script: BY_SHA1.get(what) ?? BY_SOURCE.get(what), commands: [] };
      continue;
    }
    const [name = "", ...args] = readWords(text);
    const command = { atMs, name: name.toUpperCase(), args };
    if (call && isInScript) call.commands.push(command);
    else if (!isInScript) yield { atMs, script: undefined, commands: [command] };
  }
  if (call) yield call;
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", a: "\x07", b: "\b" };

/** The words of a line, each between quotes, as `MONITOR` escapes them; bytes beyond ASCII as UTF-8. */
export function readWords(text: string, most: number = Number.POSITIVE_INFINITY): string[] {
  const words: string[] = [];
  for (const [, quoted = ""] of text.matchAll(/"((?:[^"\\]|\\.)*)"/gs)) {
    words.push(quoted.includes("\\") ? unescapeWord(quoted) : quoted);
    if (words.length === most) break;
  }
  return words;
}

function unescapeWord(quoted: string): string {
  const bytes = quoted.replace(/\\(?:x([0-9a-f]{2})|(.))/gs, (_, hex?: string, char = "") =>
    hex === undefined ? (ESCAPES[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}
