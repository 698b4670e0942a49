// Your jobs: put them here. Which queues are drained is said at the end.
import { defineJob } from "airlift";

const sendEmail = defineJob<[to: string, subject: string]>({
  class: "SendEmail",
  queue: "mail",
  timeoutMs: 20_000,
  perform: async ([to, subject], job) => {
    job.log.info("sent", { to, subject });
  },
});

export const queues = ["critical=4", "mail=2", "images"];
export const jobs = [sendEmail];
