import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKeys } from "../../../src/resque/keys.ts";
import { startGateway, TEST_TOKEN } from "../../support/gateway.ts";
import { bundleProcess } from "../harness/bundle-process.ts";
import { type DrainHost, type HostEvent, startDrainHost } from "../harness/drain-host.ts";
import { type DurableRedis, startDurableRedis } from "../harness/durable-redis.ts";
import { playFaults, type RunningPlan } from "../harness/fault-plan.ts";
import { type FaultProxy, startFaultProxy } from "../harness/fault-proxy.ts";
import { watchStandstill } from "../harness/host-process.ts";
import { monotonicMs } from "../harness/monotonic.ts";
import { type RunLine, readRunLog } from "../harness/run-log.ts";
import { auditRedis, type Violation } from "./audit.ts";
import { createClaimWatch, type SeenClaim } from "./claims.ts";
import type { DrainSettings } from "./drain-process.ts";
import { makeJobs, type SoakJob } from "./jobs.ts";
import { openProducers } from "./produce.ts";
import { CLAIM_FOR_MS, HOSTS, JOB_TIMEOUT_MS, type Tempo } from "./settings.ts";
import { REDIS_LOCK, soakFaults } from "./soak-faults.ts";

export interface SoakOptions {
  readonly jobs: number;
  readonly seed: number;
  /** Over how long the jobs are put into their queues. */
  readonly produceForMs: number;
  readonly tempo: Tempo;
  /** Told now and then how far it is. */
  readonly onProgress?: (text: string) => void;
  /** Ends everything at once; the soak then rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** What has happened, as it was seen; `judge` and `auditJobs` tell whether it may. */
export interface SoakRecord {
  readonly jobs: readonly SoakJob[];
  /** The Ruby that was among the producers. */
  readonly ruby: string | undefined;
  readonly lines: readonly RunLine[];
  readonly events: readonly HostEvent[];
  readonly claimsOf: (job: number) => readonly SeenClaim[];
  /** How many jobs Redis says were settled. */
  readonly processed: number;
  /** What is wrong in Redis, or with processes. */
  readonly violations: readonly Violation[];
  /** Faults that were injected, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly requests: number;
  /** Commands that Redis carried out. */
  readonly commands: number;
  /** Drains that lived to tell their end, and what they said they did and spent. */
  readonly reports: readonly DrainReportLine[];
  readonly durationMs: number;
}

export interface DrainReportLine {
  readonly stopped: string;
  readonly claimed: number;
  readonly recovered: number;
  readonly lost: number;
  readonly commands: number;
  readonly requests: number;
}

/** So much is there when the drains begin: as long as they are behind, they hold as much as they can. */
const FIRST_SHARE = 0.4;
/** Without any progress for so long, what is not settled counts as lost. */
const STUCK_MS = 60_000;
const WAVE_MS = 4_000;
const keys = createKeys();

/** Plays a soak to its end. */
export async function runSoak(options: SoakOptions): Promise<SoakRecord> {
  const { seed, tempo, signal } = options;
  const startedMs = monotonicMs();
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "airlift-soak-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const logFile = join(folder, "runs.tsv");
  const redis = stack.use(await startDurableRedis());
  const gateway = stack.use(await startGateway(redis.url));
  const claims = createClaimWatch();
  const proxy = stack.use(
    await startFaultProxy({
      ...{ target: gateway.url, seed, rates: tempo.rates, clientTimeoutMs: tempo.requestTimeoutMs },
      ...{ maxCutOffMs: tempo.maxCutOffMs, watch: claims.watch },
    }),
  );
  const producers = stack.use(await openProducers(redis.url, folder));
  const standstills: RunLine[] = [];
  stack.defer(
    watchStandstill(tempo.leaseMs / 4, (fromMs, toMs) => {
      standstills.push({ atMs: toMs, process: "harness", phase: "standstill", job: "", note: `${fromMs} ${toMs}` });
    }),
  );

  const jobs: SoakJob[] = [];
  const produce = async (wave: readonly SoakJob[]): Promise<void> => void jobs.push(...(await producers.produce(wave)));
  const [first = [], ...waves] = toWaves(
    makeJobs(seed, options.jobs),
    Math.max(2, Math.round(options.produceForMs / WAVE_MS)),
  );
  await produce(first);

  const events: HostEvent[] = [];
  const reports: DrainReportLine[] = [];
  const module = await bundleProcess(new URL("drain-process.ts", import.meta.url), join(folder, "bundle"));
  const hosts = startHosts({ module, proxy, logFile, seed, tempo, events, reports });
  stack.defer(async () => void (await Promise.all(hosts.map((host) => host.abort()))));
  const plan = playFaults(seed, soakFaults({ hosts, redis, proxy, tempo }));
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => undefined);
  signal?.addEventListener("abort", () => aborted.reject(signal.reason), { once: true });
  const broken = Promise.race([aborted.promise, plan.failed, redis.died]);
  const say = (text: string): void =>
    options.onProgress?.(`${Math.round((monotonicMs() - startedMs) / 1_000)} s: ${text}`);
  const play = async (): Promise<void> => {
    const fromMs = monotonicMs();
    for (const [index, wave] of waves.entries()) {
      await waitUntil(fromMs + (index * options.produceForMs) / waves.length);
      await plan.without(REDIS_LOCK, () => produce(wave));
      say(`${jobs.length} of ${options.jobs} jobs enqueued`);
    }
    await finish({ ...options, hosts, redis, proxy, plan, say });
  };
  try {
    await Promise.race([broken, play()]);
  } catch (error) {
    // What is under way may wait for what will not come any more; it ends with this process.
    void plan.stop().catch(() => undefined);
    throw error;
  }
  const lines = [...readRunLog(logFile), ...standstills].sort((a, b) => a.atMs - b.atMs);
  const { processed, violations } = await auditRedis(redis.client, jobs);
  return {
    ...{ jobs, ruby: producers.ruby, lines, events, claimsOf: claims.of, reports, processed },
    violations: [...violations, ...auditProcesses(events)],
    faults: { ...proxy.injected, ...plan.counts },
    requests: proxy.requests,
    commands: await redis.countCommands(),
    durationMs: monotonicMs() - startedMs,
  };
}

interface HostsOptions extends Pick<SoakOptions, "seed" | "tempo"> {
  readonly module: URL;
  readonly proxy: FaultProxy;
  readonly logFile: string;
  /** Filled while they run. */
  readonly events: HostEvent[];
  readonly reports: DrainReportLine[];
}

function startHosts({ module, proxy, logFile, seed, tempo, events, reports }: HostsOptions): DrainHost[] {
  const { leaseMs, requestTimeoutMs } = tempo;
  return HOSTS.map(({ name, clock, queues }) =>
    startDrainHost({
      ...{ name, clock, module },
      settingsOf: (processName): DrainSettings => ({
        ...{ name: processName, url: proxy.urlFor(processName), token: TEST_TOKEN, queues, logFile, seed },
        ...{ leaseMs, requestTimeoutMs, jobTimeoutMs: JOB_TIMEOUT_MS, claimForMs: CLAIM_FOR_MS },
      }),
      onEvent: (event) => events.push(event),
      onLine(line) {
        const { report } = line as { report?: DrainReportLine };
        if (report) reports.push(report);
      },
    }),
  );
}

interface Stage extends SoakOptions {
  readonly hosts: readonly DrainHost[];
  readonly redis: DurableRedis;
  readonly proxy: FaultProxy;
  readonly plan: RunningPlan;
  /** Tells how far it is. */
  readonly say: (text: string) => void;
}

/** Waits until all jobs are settled, at first under fire; then, in peace, until no drain is left. */
async function finish({ jobs, hosts, redis, proxy, plan, tempo, say }: Stage): Promise<void> {
  const settled = async (): Promise<number> => Number(await redis.client.get(keys.processed));
  const look = async (): Promise<number | undefined> => {
    const count = await settled();
    say(`${count} of ${jobs} jobs settled`);
    return count >= jobs ? undefined : count;
  };
  await withProgress(look, { patienceMs: STUCK_MS, mostMs: tempo.fireForMs });
  say("no more faults");
  await plan.stop();
  for (const host of hosts) host.thaw();
  await proxy.calm();
  await withProgress(look, { patienceMs: STUCK_MS });
  // The dead are recovered when their leases have ended.
  const areGone = async (): Promise<0 | undefined> => ((await redis.client.exists(keys.drains)) === 0 ? undefined : 0);
  await withProgress(areGone, { patienceMs: tempo.leaseMs * 3 });
  say("no drain is left");
  await Promise.all(hosts.map((host) => host.stop()));
}

interface ProgressOptions {
  /** The same answer for longer than this is no progress. */
  readonly patienceMs: number;
  /** No longer than this in all. */
  readonly mostMs?: number;
}

/** Asks until there is no answer any more, or nothing comes of it. */
async function withProgress(
  look: () => Promise<number | undefined>,
  { patienceMs, mostMs = Number.POSITIVE_INFINITY }: ProgressOptions,
): Promise<void> {
  const startMs = monotonicMs();
  let last: number | undefined;
  let sinceMs = startMs;
  for (;;) {
    const now = await look();
    if (now === undefined) return;
    if (now !== last) sinceMs = monotonicMs();
    if (monotonicMs() - sinceMs > patienceMs || monotonicMs() - startMs > mostMs) return;
    last = now;
    await waitUntil(monotonicMs() + 250);
  }
}

/** Each process ends as it was told to: by itself, or by KILL. */
function auditProcesses(events: readonly HostEvent[]): Violation[] {
  const killed = new Set(events.filter(({ kind }) => kind === "killed").map(({ process }) => process));
  return events
    .filter(({ kind, process, status }) => kind === "ended" && status !== "0" && !killed.has(process))
    .map(({ process, status }) => ({ text: `the process ${process} ended with ${status}` }));
}

function toWaves(jobs: readonly SoakJob[], count: number): SoakJob[][] {
  const first = Math.ceil(jobs.length * FIRST_SHARE);
  const size = Math.ceil((jobs.length - first) / (count - 1));
  const rest = Array.from({ length: count - 1 }, (_, index) =>
    jobs.slice(first + index * size, first + (index + 1) * size),
  );
  return [jobs.slice(0, first), ...rest];
}

async function waitUntil(atMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, atMs - monotonicMs())));
}
