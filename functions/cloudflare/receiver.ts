// The Worker that runs what worker.ts sends on: by a service binding, or through a Queue. Its configuration: infra/cloudflare/receiver.jsonc.
import { WorkerEntrypoint } from "cloudflare:workers";
import { createJobFunction, type JobFunction } from "airlift/job-function";
import { createWorkerLogger, toJobMethod, toJobWorker } from "airlift/platform/cloudflare";
import { upstash } from "airlift/redis/upstash";
import { images, reports } from "./jobs.ts";

interface Env {
  readonly UPSTASH_REDIS_REST_URL: string;
  readonly UPSTASH_REDIS_REST_TOKEN: string;
}

function open(env: Env): JobFunction {
  return createJobFunction({
    jobs: [...images, ...reports],
    // For jobs of a Queue, whose ends are told by Redis.
    redis: upstash({ url: env.UPSTASH_REDIS_REST_URL, token: env.UPSTASH_REDIS_REST_TOKEN }),
    logger: createWorkerLogger(),
  });
}

export default toJobWorker(open);

const perform = toJobMethod(open);

export class Jobs extends WorkerEntrypoint<Env> {
  perform(message: unknown) {
    return perform(message, this.env, this.ctx);
  }
}
