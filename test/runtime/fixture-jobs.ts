/** Jobs in the place of functions/<host>/jobs.ts. */
import { type AnyJobDefinition, defineJob } from "../../src/core/job.ts";

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const note = defineJob({ class: "Note", perform: () => undefined });

/** Waits at a gate of the test's, and tells it how many ms it has left. */
const gate = defineJob<[url: string]>({
  class: "Gate",
  perform: async ([url], { deadlineMs }) => {
    await (await fetch(url, { method: "POST", body: String(deadlineMs - Date.now()) })).text();
  },
});

/** One whose errors nobody catches. */
const late = defineJob({
  class: "Late",
  perform: async () => {
    setTimeout(() => {
      throw new Error("thrown late");
    }, 1);
    void sleep(2).then(() => Promise.reject(new Error("rejected late")));
    await sleep(100);
  },
});

const broken = defineJob({
  class: "Broken",
  perform: () => {
    throw new RangeError("out of reach");
  },
});

export const queues: readonly string[] = ["*"];
export const jobs: readonly AnyJobDefinition[] = [note, gate, late, broken];
export const jobsOfDrain: readonly AnyJobDefinition[] = jobs;
export const jobsOfJobFunction: readonly AnyJobDefinition[] = [];
