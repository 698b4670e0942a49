import { createHash } from "node:crypto";
import type { JobContext } from "../../../../src/index.ts";
import { readOwn } from "../../../../src/resque/payload.ts";
import type { RunLine, RunLog } from "../../harness/run-log.ts";
import { keyOf } from "./job-key.ts";

/** One run of a handler, as the handler itself saw it. Instants are by the machine's own clock. */
export interface Run {
  /** @see keyOf */
  readonly job: string;
  readonly process: string;
  readonly drainId: string;
  /** What its payload said of attempts and crashes before. */
  readonly retries: number;
  readonly crashes: number;
  /** Of the payload without Airlift's own member. */
  readonly hash: string;
  readonly startMs: number;
  /** Undefined for one whose process ended in its midst. */
  readonly endMs: number | undefined;
}

/** Stands around what a handler does. */
export type RecordRun = <T>(job: JobContext, work: () => Promise<T> | T) => Promise<T>;

const OWN_MEMBER = /,"airlift":\{[^{}]*\}\}\s*$/;

/** The payload as its producer wrote it. */
export function withoutOwn(payload: string): string {
  return payload.replace(OWN_MEMBER, "}");
}

export function hashOf(payload: string): string {
  return createHash("sha1").update(withoutOwn(payload)).digest("hex").slice(0, 12);
}

/** @param drainId which drain is at work in this process */
export function createRecorder(log: RunLog, drainId: () => string): RecordRun {
  let runs = 0;
  return async ({ raw }, work) => {
    const run = String(++runs);
    const job = keyOf(raw) ?? "?";
    const { retries = 0, crashes = 0 } = readOwn(raw);
    log.write("start", job, [run, drainId(), retries, crashes, hashOf(raw)].join(" "));
    try {
      return await work();
    } finally {
      log.write("end", job, run);
    }
  };
}

/** The runs that a log tells of, in the order of their starts. */
export function readRuns(lines: readonly RunLine[]): Run[] {
  const ends = new Map<string, number>();
  for (const { phase, process, note, atMs } of lines) if (phase === "end") ends.set(`${process} ${note}`, atMs);
  return lines
    .filter(({ phase }) => phase === "start")
    .map(({ atMs, process, job, note }) => {
      const [run = "", drainId = "", retries, crashes, hash = ""] = note.split(" ");
      return {
        ...{ job, process, drainId, hash, startMs: atMs, endMs: ends.get(`${process} ${run}`) },
        ...{ retries: Number(retries), crashes: Number(crashes) },
      };
    });
}
