// Your jobs: put them here. Which queues are drained is said at the end; where each job runs, in worker.ts.
import { defineJob } from "airlift";

const sendEmail = defineJob<[to: string, subject: string]>({
  class: "SendEmail",
  queue: "mail",
  timeoutMs: 20_000,
  // Requests that a run makes: on the free plan a drain has 50 for all that it does.
  uses: { requests: 1 },
  perform: async ([to, subject], job) => {
    job.log.info("sent", { to, subject });
  },
});

const resizeImage = defineJob<[url: string, width: number]>({
  class: "ResizeImage",
  queue: "images",
  timeoutMs: 30_000,
  retry: { limit: 3 },
  perform: async ([url, width], job) => {
    job.log.info("resized", { url, width });
  },
});

const buildReport = defineJob<[month: string]>({
  class: "BuildReport",
  queue: "reports",
  timeoutMs: 50_000,
  perform: async ([month], job) => {
    job.log.info("built", { month });
  },
});

export const mails = [sendEmail];
export const images = [resizeImage];
export const reports = [buildReport];

export const queues = ["mail=2", "images", "reports"];
