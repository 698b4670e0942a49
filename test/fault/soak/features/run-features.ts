import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAirlift } from "../../../../src/index.ts";
import { ioredis } from "../../../../src/redis/ioredis.ts";
import { upstash } from "../../../../src/redis/upstash.ts";
import { createKeys } from "../../../../src/resque/keys.ts";
import { startGateway, TEST_TOKEN } from "../../../support/gateway.ts";
import { type HostEvent, startDrainHost } from "../../harness/drain-host.ts";
import { startDurableRedis } from "../../harness/durable-redis.ts";
import { type PlannedFault, playFaults } from "../../harness/fault-plan.ts";
import { startFaultProxy } from "../../harness/fault-proxy.ts";
import { monotonicMs } from "../../harness/monotonic.ts";
import { createRandom, type Random } from "../../harness/random.ts";
import { openRunLog, readRunLog } from "../../harness/run-log.ts";
import type { Tempo } from "../settings.ts";
import { soakFaults } from "../soak-faults.ts";
import { allFeatures, featureApp } from "./app.ts";
import type { FeatureSettings } from "./drain-process.ts";
import { type Evidence, groupBy, matchRuns } from "./evidence.ts";
import type { Feature } from "./feature.ts";
import { readJournal } from "./journal.ts";
import { openProducers } from "./producer.ts";
import { keysLeftIn, readFailed, waitUntilQuiet } from "./quiet.ts";
import { startReceiver } from "./receiver.ts";
import { createRecorder, readRuns } from "./run-records.ts";
import { HOSTS, quicken, TICK_MS } from "./settings.ts";
import { switchedClient } from "./switched-client.ts";
import { type Witness, watchRedis } from "./witness.ts";
import { readCalls } from "./witnessed-calls.ts";

export interface FeaturesOptions {
  readonly seed: number;
  /** How long jobs are enqueued, and everything breaks. */
  readonly produceForMs: number;
  readonly tempo: Tempo;
  /** How many of the hosts take part. @default all */
  readonly hosts?: number;
  /** Told now and then how far it is. */
  readonly onProgress?: (text: string) => void;
  /** Ends everything at once; the soak then rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** What has happened, for the verdicts. */
export interface FeaturesRecord {
  readonly features: readonly Feature[];
  readonly evidence: Evidence;
  readonly events: readonly HostEvent[];
  readonly toRedisMs: (monotonicMs: number) => number;
  readonly faults: Readonly<Record<string, number>>;
  readonly receptions: Readonly<Record<string, number>>;
  /** How drains ended, by reason. */
  readonly ends: Readonly<Record<string, number>>;
  readonly requests: number;
  readonly durationMs: number;
}

const keys = createKeys();
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Plays the soak to its end. */
export async function runFeatures(options: FeaturesOptions): Promise<FeaturesRecord> {
  const { seed, tempo, produceForMs, onProgress, signal } = options;
  const { leaseMs, requestTimeoutMs } = tempo;
  const startedMs = monotonicMs();
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "airlift-features-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const logFile = join(folder, "runs.tsv");
  const redis = stack.use(await startDurableRedis());
  const witness = stack.use(await watchRedis(redis.port, join(folder, "monitor.log")));
  const gateway = stack.use(await startGateway(witness.url));
  const clientTimeoutMs = requestTimeoutMs;
  const proxy = stack.use(
    await startFaultProxy({
      target: gateway.url,
      seed,
      rates: tempo.rates,
      clientTimeoutMs,
      maxCutOffMs: tempo.maxCutOffMs,
    }),
  );
  const log = openRunLog(logFile, "harness");
  stack.defer(() => log.close());
  // Who has no lease to lose is patient.
  const clientOf = (name: string) =>
    upstash({ url: proxy.urlFor(name), token: TEST_TOKEN, requestTimeoutMs: 3 * requestTimeoutMs });
  const acknowledging = switchedClient(clientOf("receiver"));
  const receiver = stack.use(await startReceiver(acknowledging.client, log));

  const events: HostEvent[] = [];
  const ends: Record<string, number> = {};
  const hosts = HOSTS.slice(0, options.hosts).map(({ name, clock, queues }) =>
    startDrainHost({
      ...{ name, clock, module: new URL("drain-process.ts", import.meta.url) },
      settingsOf: (processName): FeatureSettings => ({
        ...{ name: processName, url: proxy.urlFor(processName), token: TEST_TOKEN, logFile, queues },
        ...{ leaseMs, requestTimeoutMs, tickMs: TICK_MS, receiverUrl: receiver.url },
      }),
      onEvent: (event) => events.push(event),
      onLine(line) {
        const { stopped, failed, error } = line as { stopped?: string; failed?: string; error?: string };
        const end = stopped ?? failed ?? error ?? "?";
        ends[end] = (ends[end] ?? 0) + 1;
      },
    }),
  );
  stack.defer(async () => void (await Promise.all(hosts.map((host) => host.abort()))));
  const plan = playFaults(seed, witnessed(quicken(soakFaults({ hosts, redis, proxy, tempo })), witness));
  stack.defer(() => plan.stop().catch(() => undefined));

  let drainId = "";
  const app = featureApp(
    createRecorder(log, () => drainId),
    receiver.url,
  );
  const producing = stack.use(
    createAirlift({ redis: clientOf("producer"), queues: ["*"], jobs: app.jobs, logger: silent }),
  );
  const features = allFeatures();
  const producerOf = openProducers({ redis: redis.client, airlift: producing, keys, plan, forMs: produceForMs });
  const produced = features.map((feature) => feature.produce(producerOf(createRandom(seed, "producer", feature.name))));
  const aborted = new Promise<never>((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => undefined);
  const orAborted = <T>(work: Promise<T>): Promise<T> => Promise.race([work, aborted]);

  const tell = (text: string): void => onProgress?.(`${Math.round((monotonicMs() - startedMs) / 1_000)} s: ${text}`);
  tell("jobs are enqueued, and everything breaks");
  await orAborted(Promise.all(produced));
  tell("all jobs are enqueued");
  await plan.stop();
  for (const host of hosts) host.thaw();
  await proxy.calm();
  tell("no more faults; what is left is done");
  await orAborted(waitUntilQuiet(redis.client, keys, ["ticks"]));
  tell("the hosts are stopped");
  await orAborted(Promise.all(hosts.map((host) => host.stop())));
  // What is still on its way through them, given up by its client, has arrived then or never will.
  await proxy.close();
  await gateway.close();

  // A last drain in peace, without schedules.
  acknowledging.switchTo(ioredis(redis.url));
  const last = stack.use(
    createAirlift({
      ...{ redis: ioredis(redis.url), queues: ["*"], jobs: app.jobs, leaseMs, concurrency: 12, logger: silent },
      onEvent(event) {
        if (event.kind === "drain-started") drainId = event.drainId;
      },
    }),
  );
  const finish = async (): Promise<void> => {
    await orAborted(waitUntilQuiet(redis.client, keys, [], () => last.drain()));
    await receiver.idle();
  };
  await finish();
  for (const { probe } of features) await probe?.({ airlift: last, keys, redis: redis.client });
  await finish();

  tell("everything has ended, and is judged");
  const keysLeft = await keysLeftIn(redis.client, keys);
  const failed = await readFailed(redis.client, keys);
  const [processed, failures] = await redis.client.mget(keys.processed, keys.failures);
  await witness.stop();
  const journal = await readJournal(readCalls(witness.file));
  const toRedisMs = clockOf();
  const runs = matchRuns(readRuns(readRunLog(logFile)), journal, events, toRedisMs);
  return {
    ...{ features, events, toRedisMs, ends, receptions: receiver.receptions },
    evidence: {
      ...{ journal, runs, runsOf: groupBy(runs, ({ job }) => job), failed, keysLeft, leaseMs },
      counters: { processed: Number(processed ?? 0), failed: Number(failures ?? 0) },
    },
    faults: { ...proxy.injected, ...plan.counts },
    requests: proxy.requests,
    durationMs: monotonicMs() - startedMs,
  };
}

/** Who ends a Redis takes the last things that it did from the witness' sight: it is cut off before. */
function witnessed(faults: readonly PlannedFault[], witness: Witness): PlannedFault[] {
  const cutBefore = async (fault: PlannedFault, random: Random): Promise<void> => {
    await witness.cut();
    await fault.run(random);
  };
  return faults.map((fault) =>
    fault.name.startsWith("Redis restarted") ? { ...fault, run: (random) => cutBefore(fault, random) } : fault,
  );
}

/** From the machine's own clock to that of Redis, which is this process', too. */
function clockOf(): (monotonicMs: number) => number {
  let apartMs = Number.NEGATIVE_INFINITY;
  // The time of day comes in whole milliseconds: the largest difference is the one at the beginning of one.
  for (let look = 0; look < 20_000; look++) apartMs = Math.max(apartMs, Date.now() - monotonicMs());
  return (atMs) => atMs + apartMs;
}
