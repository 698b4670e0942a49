// Put your jobs here.
import { defineJob } from "airlift";

const callWebhook = defineJob<[url: string, body: unknown]>({
  class: "CallWebhook",
  queue: "webhooks",
  timeoutMs: 20_000,
  retry: { limit: 5 },
  perform: async ([url, body], job) => {
    const headers = { "content-type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal: job.signal });
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  },
});

export const queues = ["webhooks"];
export const jobs = [callWebhook];
