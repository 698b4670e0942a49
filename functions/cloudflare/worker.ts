// One Worker: the HTTP API, a drain each minute, and drains that a Queue asks for. Its configuration: infra/cloudflare/wrangler.jsonc.
import { createAirlift, runOn, type StartDrain } from "airlift";
import { createWorkerLogger, toWorker } from "airlift/platform/cloudflare";
import { upstash } from "airlift/redis/upstash";
import { type QueueBinding, queue, type ServiceBinding, serviceBinding } from "airlift/target/cloudflare";
import { images, mails, queues, reports } from "./jobs.ts";

interface Env {
  readonly UPSTASH_REDIS_REST_URL: string;
  readonly UPSTASH_REDIS_REST_TOKEN: string;
  readonly ENQUEUE_TOKEN?: string;
  readonly OPERATE_TOKEN?: string;
  readonly AIRLIFT_PLAN?: "free" | "paid";
  // Without these all jobs run here, and drains begin by the minute.
  readonly IMAGES?: ServiceBinding;
  readonly REPORTS?: QueueBinding;
  readonly DRAINS?: QueueBinding;
}

export default toWorker((env: Env) => {
  const { IMAGES, REPORTS, DRAINS } = env;
  const start: StartDrain | undefined = DRAINS && ((request) => DRAINS.send(request));
  return {
    airlift: createAirlift({
      redis: upstash({ url: env.UPSTASH_REDIS_REST_URL, token: env.UPSTASH_REDIS_REST_TOKEN }),
      queues,
      jobs: [
        ...mails,
        ...(IMAGES
          ? runOn(
              serviceBinding(() => IMAGES, { method: "perform" }),
              images,
            )
          : images),
        ...(REPORTS
          ? runOn(
              queue(() => REPORTS),
              reports,
            )
          : reports),
      ],
      logger: createWorkerLogger(),
      ...(start && { kick: start, successor: { start } }),
    }),
    http: { tokens: { enqueue: env.ENQUEUE_TOKEN || undefined, operate: env.OPERATE_TOKEN || undefined } },
    plan: env.AIRLIFT_PLAN,
  };
});
