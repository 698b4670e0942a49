import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { News, Order } from "./worker.ts";

export type Ended = Extract<News, { kind: "ended" }>;

/** Runs orders, one at a time, in a process that is replaced when it hangs. */
export interface Runner {
  /** @param limitMs how long a test may take; without one, what lies before, between and after tests */
  run(
    order: Order,
    limitMs: (test?: string) => number,
  ): Promise<Ended | { readonly kind: "hung"; readonly test: string }>;
  close(): Promise<void>;
}

const CHECK_MS = 100;

export function createRunner(sandboxPath: string, env: Readonly<Record<string, string>>): Runner {
  let worker: ChildProcess | undefined;

  const start = async (): Promise<ChildProcess> => {
    // A process group of its own: the servers that its tests have started end with it.
    const child = fork(fileURLToPath(new URL("worker.ts", import.meta.url)), [sandboxPath], {
      detached: true,
      env: { ...process.env, ...env, NODE_ENV: "test", VITEST: "1" },
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

  return {
    async run(order, limitMs) {
      worker ??= await start();
      const child = worker;
      let test: string | undefined;
      let since = spent(child);
      let ended: Ended | undefined;
      const stopWaiting = new AbortController();
      const listen = (news: News): void => {
        if (news.kind === "began") {
          test = news.test;
          since = spent(child);
        } else if (news.kind === "ended") {
          ended = news;
          stopWaiting.abort();
        }
      };
      child.on("message", listen);
      child.send(order);
      try {
        while (!ended) {
          await delay(CHECK_MS, undefined, { signal: stopWaiting.signal }).catch(() => undefined);
          const hasDied = child.exitCode !== null || child.signalCode !== null;
          if (hasDied || (!ended && spent(child) - since > limitMs(test))) {
            await end();
            return { kind: "hung", test: test ?? "" };
          }
        }
        return ended;
      } finally {
        child.off("message", listen);
      }
    },
    close: end,
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
    // Not Linux, or the thread has just ended.
  }
  return performance.now() - waitedNs / 1e6;
}
