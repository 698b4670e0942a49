/// <reference path="../../../../functions/cloudflare/cloudflare-workers.d.ts" />
// Runs jobs of other Workers.
import { WorkerEntrypoint } from "cloudflare:workers";
import { defineJob } from "airlift";
import { createJobFunction, type JobFunction } from "airlift/job-function";
import { createWorkerLogger, type JobWorkerHandlers, toJobMethod, toJobWorker } from "airlift/platform/cloudflare";
import { upstash } from "airlift/redis/upstash";

interface Env {
  readonly REDIS_URL: string;
  readonly REDIS_TOKEN: string;
}

class TooSmall extends Error {
  override readonly name = "TooSmall";
}

function open(env: Env): JobFunction {
  const classes = ["ByFetch", "ByMethod", "InBatches", "Queued", "QueuedInBatches"];
  return createJobFunction({
    jobs: classes.map((name) =>
      defineJob<[what: unknown]>({
        class: name,
        perform([what], job) {
          if (what === "throw") throw new TooSmall("no pixels");
          job.log.info("ran", { what });
        },
      }),
    ),
    redis: upstash({ url: env.REDIS_URL, token: env.REDIS_TOKEN }),
    logger: createWorkerLogger(),
  });
}

const worker: JobWorkerHandlers<Env> = toJobWorker(open);
export default worker;

const perform = toJobMethod(open);

export class Jobs extends WorkerEntrypoint<Env> {
  perform(message: unknown): Promise<unknown> {
    return perform(message, this.env, this.ctx);
  }
}
