// Drains all queues with the limits of the free plan, in a Worker that is held to them.
import { createAirlift, defineJob } from "airlift";
import { createWorkerLogger, toWorker, type WorkerHandlers } from "airlift/platform/cloudflare";
import { upstash } from "airlift/redis/upstash";
import { asInProduction, made, realNowMs } from "./as-in-production.ts";

interface Env {
  readonly REDIS_URL: string;
  readonly REDIS_TOKEN: string;
  /** The classes that it has, as `Sleep,Look`. */
  readonly CLASSES: string;
}

const none = { requests: 0 };

/** Ends by waiting. */
const sleep = defineJob<[ms: number]>({
  class: "Sleep",
  uses: none,
  perform: ([ms]) => new Promise((resolve) => setTimeout(resolve, ms)),
});

/** Computes for so long, however fast the machine is, without anything from outside. */
const compute = defineJob<[ms: number]>({
  class: "Compute",
  uses: none,
  perform([ms], job) {
    const endMs = realNowMs() + ms;
    let sum = 0;
    for (let round = 0; realNowMs() < endMs; round++) sum += Math.sqrt(round);
    job.log.info("computed", { sum: Math.round(sum) });
  },
});

/** Never ends by itself. */
const hang = defineJob({ class: "Hang", timeoutMs: 300, uses: none, perform: () => new Promise(() => undefined) });

const request = defineJob<[url: string]>({
  class: "Request",
  timeoutMs: 10_000,
  perform: async ([url], job) => {
    const response = await fetch(url, { signal: job.signal });
    await response.text();
  },
});

/** Tells what there is of Node. */
const look = defineJob({
  class: "Look",
  uses: none,
  perform: (_args, job) =>
    job.log.info("looked", { process: typeof process, Buffer: typeof Buffer, setImmediate: typeof setImmediate }),
});

let setups = 0;

const worker: WorkerHandlers<Env> = toWorker((env: Env) => {
  setups++;
  const logger = createWorkerLogger();
  return {
    airlift: createAirlift({
      redis: upstash({ url: env.REDIS_URL, token: env.REDIS_TOKEN }),
      queues: ["q"],
      jobs: [compute, hang, look, request, sleep].filter((job) => env.CLASSES.includes(job.class)),
      leaseMs: 4_000,
      timeoutMs: 6_000,
      logger,
      onEvent: (event) => event.kind === "drain-ended" && logger.info("made", { requests: made(), setups }),
    }),
    http: { tokens: { enqueue: "enqueue-token", operate: "operate-token" } },
  };
});

export default asInProduction(worker) as WorkerHandlers<Env>;
