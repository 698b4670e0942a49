// Jobs as an app would have them. Try them with `airlift dev`, or against a Redis of your own:
// airlift drain --app examples/jobs.ts --redis redis://127.0.0.1:6379
import { setTimeout as sleep } from "node:timers/promises";
import { defineJob, type EnqueueRequest } from "airlift";

class PaymentDeclined extends Error {
  override readonly name = "PaymentDeclined";
}

/** What most jobs are: a call to another service. */
const sendEmail = defineJob<[to: string, subject: string]>({
  class: "SendEmail",
  queue: "mail",
  timeoutMs: 10_000,
  perform: async ([to, subject], job) => {
    await sleep(150, undefined, { signal: job.signal });
    job.log.debug("sent", { to, subject });
  },
});

/** Work in steps. The signal ends it when the job's time limit or the drain's budget does. */
const resizeImage = defineJob<[path: string, widths: number[]]>({
  class: "ResizeImage",
  queue: "images",
  timeoutMs: 30_000,
  perform: async ([_path, widths], job) => {
    for (const width of widths) await sleep(width / 2, undefined, { signal: job.signal });
  },
});

/** A slow one: it stops between pages when it is told to, and then runs again from its queue. */
const buildReport = defineJob<[month: string]>({
  class: "BuildReport",
  queue: "reports",
  timeoutMs: 20_000,
  perform: async ([month], job) => {
    for (let page = 1; page <= 10; page++) {
      job.signal.throwIfAborted();
      await sleep(300, undefined, { signal: job.signal });
    }
    job.log.debug("report is ready", { month });
  },
});

/** One that fails, as payments do: it ends in the failed list, with its class, message and backtrace. */
const chargeCard = defineJob<[order: number | bigint, cents: number]>({
  class: "ChargeCard",
  queue: "billing",
  timeoutMs: 10_000,
  perform: async ([order, cents], job) => {
    await sleep(80, undefined, { signal: job.signal });
    if (cents > 50_000) throw new PaymentDeclined(`order ${order}: over the card's limit`);
  },
});

export const jobs = [sendEmail, resizeImage, buildReport, chargeCard];

/** What `airlift dev` enqueues at its start. */
export const samples: EnqueueRequest[] = [
  { queue: "reports", class: "BuildReport", args: ["2026-10"] },
  { queue: "mail", class: "SendEmail", args: ["ada@example.com", "Welcome"] },
  { queue: "mail", class: "SendEmail", args: ["grace@example.com", "Your invoice"] },
  { queue: "images", class: "ResizeImage", args: ["cat.jpg", [320, 640, 1280]] },
  { queue: "billing", class: "ChargeCard", args: [9007199254740993n, 1_999] },
  { queue: "billing", class: "ChargeCard", args: [1002, 99_900] },
];
