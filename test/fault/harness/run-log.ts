import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { monotonicMs } from "./monotonic.ts";

/** One line: what a process did with a job, and when by the machine's clock. */
export interface RunLine {
  readonly atMs: number;
  readonly process: string;
  readonly phase: string;
  readonly job: string;
  /** Whatever else belongs to it; `""` if nothing does. */
  readonly note: string;
}

/** A file that several processes append lines to. */
export interface RunLog {
  /** It is in the file when this returns: a KILL takes nothing of it back, and no other process's line comes between. */
  write(phase: string, job: string, note?: string): void;
  close(): void;
}

/** None of the texts may hold a tab or a line's end. */
export function openRunLog(file: string, processName: string): RunLog {
  const descriptor = openSync(file, "a");
  return {
    write(phase, job, note = "") {
      const line = [monotonicMs().toFixed(3), processName, phase, job, note].join("\t");
      if (/[\r\n]/.test(line)) throw new Error(`a line of the log of runs holds a line's end: ${JSON.stringify(line)}`);
      writeSync(descriptor, `${line}\n`);
    },
    close: () => closeSync(descriptor),
  };
}

/** @throws Error for a line that is none: nothing of a log is passed over */
export function readRunLog(file: string): RunLine[] {
  const text = readFileSync(file, "utf8");
  if (text === "") return [];
  if (!text.endsWith("\n")) throw new Error(`the last line of ${file} is cut off`);
  return text
    .slice(0, -1)
    .split("\n")
    .map((line, index) => {
      const [at = "", process, phase, job, note, ...rest] = line.split("\t");
      if (!(Number(at) > 0) || !process || !phase || job === undefined || note === undefined || rest.length > 0) {
        throw new Error(`line ${index + 1} of ${file} is none of a log of runs: ${JSON.stringify(line)}`);
      }
      return { atMs: Number(at), process, phase, job, note };
    });
}
