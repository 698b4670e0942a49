// Drains; its jobs run in other Workers.
import { createAirlift, type JobDefinition } from "airlift";
import { createWorkerLogger, toWorker, type WorkerHandlers } from "airlift/platform/cloudflare";
import { upstash } from "airlift/redis/upstash";
import { type QueueBinding, queue, type ServiceBinding, serviceBinding } from "airlift/target/cloudflare";
import { asInProduction } from "./as-in-production.ts";

interface Env {
  readonly REDIS_URL: string;
  readonly REDIS_TOKEN: string;
  readonly RECEIVER: ServiceBinding;
  readonly ENTRYPOINT: ServiceBinding;
  readonly OTHER: ServiceBinding;
  readonly REPORTS: QueueBinding;
}

const worker: WorkerHandlers<Env> = toWorker((env: Env) => {
  const batch = { size: 10, maxWaitMs: 50 };
  const jobs: JobDefinition[] = [
    { class: "ByFetch", perform: serviceBinding(() => env.RECEIVER) },
    { class: "ByMethod", perform: serviceBinding(() => env.ENTRYPOINT, { method: "perform" }) },
    { class: "ByNoMethod", perform: serviceBinding(() => env.ENTRYPOINT, { method: "nothing" }) },
    { class: "InBatches", perform: serviceBinding(() => env.ENTRYPOINT, { method: "perform", batch }) },
    { class: "Other", timeoutMs: 500, perform: serviceBinding(() => env.OTHER, { path: "/jobs" }) },
    { class: "Queued", timeoutMs: 600_000, perform: queue(() => env.REPORTS) },
    { class: "QueuedInBatches", perform: queue(() => env.REPORTS, { batch }) },
  ];
  return {
    airlift: createAirlift({
      redis: upstash({ url: env.REDIS_URL, token: env.REDIS_TOKEN }),
      queues: ["q"],
      jobs,
      logger: createWorkerLogger(),
      kick: {},
    }),
    http: { tokens: { enqueue: "enqueue-token" }, kick: "background" },
    plan: "paid",
  };
});

export default asInProduction(worker, 10_000) as WorkerHandlers<Env>;
