import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Entry, ThreadPlan } from "./mutant.ts";

export interface FileRun {
  /** All that was written down; the last entry tells what hangs, if something does. */
  readonly entries: readonly Entry[];
  readonly hasHung: boolean;
  /** Why the file could not be loaded, or "". */
  readonly error: string;
}

export interface Watch {
  readonly onEntry: (entry: Entry) => void;
  /** How long it may stay at an entry. */
  readonly limitMs: (last: Entry | undefined) => number;
  /** Whether to end, as if it hung. */
  readonly isOver: () => boolean;
}

/** Runs files of tests, one at a time, in a process that is replaced when it hangs. */
export interface Runner {
  run(file: string, plan: Omit<ThreadPlan, "journal">, watch: Watch): Promise<FileRun>;
  close(): Promise<void>;
}

const CHECK_MS = 100;

export function createRunner(sandboxPath: string, env: Readonly<Record<string, string>>): Runner {
  const journal = join(sandboxPath, "journal");
  const planPath = join(sandboxPath, "plan.json");
  let worker: ChildProcess | undefined;

  const start = async (): Promise<ChildProcess> => {
    // A process group of its own: the servers that its tests have started end with it.
    const child = fork(fileURLToPath(new URL("worker.ts", import.meta.url)), [sandboxPath], {
      detached: true,
      env: { ...process.env, ...env, AIRLIFT_MUTATION_PLAN: planPath, NODE_ENV: "test", VITEST: "1" },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    await once(child, "message");
    return child;
  };
  const end = async (): Promise<void> => {
    const child = worker;
    worker = undefined;
    if (!child?.pid) return;
    const exited = child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended, and all of its group.
    }
    await exited;
  };
  const written = (): string => readFileSync(journal, "utf8");
  const parse = (text: string): Entry[] =>
    text
      .slice(0, text.lastIndexOf("\n") + 1)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Entry);

  return {
    async run(file, plan, { onEntry, limitMs, isOver }) {
      worker ??= await start();
      const child = worker;
      writeFileSync(journal, "");
      writeFileSync(planPath, JSON.stringify({ journal, ...plan }));
      let error: string | undefined;
      const arrived = new AbortController();
      child.once("message", (news: { readonly error: string }) => {
        error = news.error;
        arrived.abort();
      });
      child.send(file);
      let size = 0;
      let since = spent(child);
      let last: Entry | undefined;
      while (error === undefined) {
        await delay(CHECK_MS, undefined, { signal: arrived.signal }).catch(() => undefined);
        const text = written();
        const fresh = parse(text.slice(size));
        if (fresh.length > 0) {
          size = text.lastIndexOf("\n") + 1;
          since = spent(child);
          last = fresh.at(-1);
          for (const entry of fresh) onEntry(entry);
        }
        const hasDied = child.exitCode !== null || child.signalCode !== null;
        if (error === undefined && (hasDied || isOver() || spent(child) - since > limitMs(last))) {
          await end();
          return { entries: parse(written()), hasHung: true, error: "" };
        }
      }
      return { entries: parse(written()), hasHung: false, error };
    },
    async close() {
      await end();
      for (const path of [journal, planPath]) rmSync(path, { force: true });
    },
  };
}

/** A clock that stands still while the process's threads wait for a processor: a busy machine makes no test hang. */
function spent({ pid }: ChildProcess): number {
  let waitedNs = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const [, waited] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ");
      waitedNs += Number(waited);
    }
  } catch {
    // Not Linux, or a thread has just ended.
  }
  return performance.now() - waitedNs / 1e6;
}
