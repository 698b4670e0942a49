// Put your jobs here. Where they run is said at the end.
import { createHash } from "node:crypto";
import { defineJob } from "airlift";

/** Waits for another server most of the time: many of these run at once in one drain. */
const callWebhook = defineJob<[url: string, body: unknown]>({
  class: "CallWebhook",
  queue: "webhooks",
  retry: { limit: 5 },
  perform: async ([url, body], job) => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal: job.signal });
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  },
});

/** Works the processor, or takes much memory: each of these has an invocation of the function `job` for itself. */
const hashFile = defineJob<[url: string]>({
  class: "HashFile",
  queue: "files",
  perform: async ([url], job) => {
    const response = await fetch(url, { signal: job.signal });
    if (!response.ok || !response.body) throw new Error(`${url} answered ${response.status}`);
    const hash = createHash("sha256");
    for await (const chunk of response.body) hash.update(chunk);
    job.log.info("hashed", { url, sha256: hash.digest("hex") });
  },
});

export const queues = ["webhooks", "files"];
/** Run by the cron route. */
export const jobsOfDrain = [callWebhook];
/** Run by the function `job`. */
export const jobsOfJobFunction = [hashFile];
