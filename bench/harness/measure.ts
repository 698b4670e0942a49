import { fork } from "node:child_process";
import { loadSystem } from "../systems/catalogue.ts";
import type { SeedJob, Setting, Transport, Workload } from "../systems/system.ts";
import type { Bundles } from "./bundle.ts";
import type { RedisServer } from "./redis-server.ts";
import { nextMessage, type Service } from "./service.ts";
import type { WorkerMessage, WorkerTask } from "./worker-process.ts";

/** What all measurements of a run share. */
export interface Bench {
  readonly bundles: Bundles;
  readonly redis: RedisServer;
  readonly gateway: Service;
  readonly token: string;
  /** Arguments of the measured processes' Node. */
  readonly execArgv: readonly string[];
  /** Relays before Redis and the gateway, if latency is injected. */
  readonly relays?: { readonly redis: Service; readonly gateway: Service };
}

export interface MeasureSpec {
  readonly system: string;
  readonly transport: Transport;
  readonly inFlight: number;
  readonly workload: Workload;
  readonly isDelayed: boolean;
  /** How many jobs: a number, or as many as the process works in so many seconds once it is warm. */
  readonly jobs: { readonly count: number } | { readonly seconds: number };
  readonly warmMs: number;
}

/** One measurement, raw. Costs are those between the start and the last job's end. */
export interface Measurement {
  readonly spec: MeasureSpec;
  readonly jobs: number;
  readonly wallMs: number;
  readonly cpuMicros: { readonly worker: number; readonly gateway: number; readonly redis: number };
  readonly peakBytes: number;
  /** As Redis counted them, those within scripts included. */
  readonly commands: number;
  readonly commandsByName: Readonly<Record<string, number>>;
  /** Counted by the gateway over HTTP, and by Redis (reads from sockets) over TCP. */
  readonly requests: number;
  /** What the system itself has counted, if it counts. */
  readonly own?: { readonly commands: number; readonly requests: number };
}

/** Runs one measurement in a process of its own. */
export async function measure(bench: Bench, spec: MeasureSpec): Promise<Measurement> {
  const { redis, gateway } = bench;
  const system = await loadSystem(spec.system);
  const task: WorkerTask = { system: spec.system, setting: toSetting(bench, spec), warmMs: spec.warmMs };
  await redis.flush();
  const child = fork(bench.bundles.worker, [JSON.stringify(task)], {
    execArgv: [...bench.execArgv],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const kill = (): void => void child.kill();
  process.once("exit", kill);
  let jobs = 0;
  let before = { gateway: await gateway.ask(), redis: await redis.read() };
  for (;;) {
    const message = (await nextMessage(child)) as WorkerMessage;
    if (message.kind === "seed") {
      await system.seed(redis.port, message.queue, createJobs(message.count, spec.workload));
      child.send(0);
    } else if (message.kind === "warm") {
      await redis.flush();
      jobs =
        "count" in spec.jobs
          ? spec.jobs.count
          : Math.max(20 * spec.inFlight, Math.ceil(message.rate * spec.jobs.seconds));
      await system.seed(redis.port, "bench", createJobs(jobs, spec.workload));
      child.send(jobs);
    } else if (message.kind === "ready") {
      await redis.resetCounters();
      before = { gateway: await gateway.ask(), redis: await redis.read() };
      child.send(0);
    } else {
      const after = { gateway: await gateway.ask(), redis: await redis.read() };
      const exited = new Promise((resolve) => child.once("exit", resolve));
      child.send(0);
      await exited;
      process.off("exit", kill);
      const isHttp = spec.transport === "http";
      return {
        spec,
        jobs,
        wallMs: message.wallMs,
        cpuMicros: {
          worker: message.cpuMicros,
          gateway: isHttp ? after.gateway.cpuMicros - before.gateway.cpuMicros : 0,
          redis: after.redis.cpuMicros - before.redis.cpuMicros,
        },
        peakBytes: message.peakBytes,
        commands: Object.values(after.redis.calls).reduce((sum, calls) => sum + calls, 0),
        commandsByName: after.redis.calls,
        // The harness's two own reads of the counters are among what Redis has read.
        requests: isHttp
          ? after.gateway.requests - before.gateway.requests
          : after.redis.reads - before.redis.reads - 1,
        ...(message.own === undefined ? {} : { own: message.own }),
      };
    }
  }
}

function toSetting(bench: Bench, spec: MeasureSpec): Setting {
  const redisPort = spec.isDelayed ? bench.relays?.redis.port : bench.redis.port;
  const gatewayPort = spec.isDelayed ? bench.relays?.gateway.port : bench.gateway.port;
  return {
    transport: spec.transport,
    inFlight: spec.inFlight,
    workload: spec.workload,
    redisPort: redisPort!,
    gatewayUrl: `http://127.0.0.1:${gatewayPort}`,
    token: bench.token,
  };
}

/** The same jobs in every run: sleeping ones take 5 to 50 ms, evenly spread, in a fixed pseudo-random order. */
function createJobs(count: number, workload: Workload): SeedJob[] {
  let state = 0x9e3779b9;
  return Array.from({ length: count }, (_, i) => {
    if (workload === "noop") return { class: "Noop", args: [i, "hi"] };
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return { class: "Sleep", args: [5 + Math.floor((state / 2 ** 32) * 46)] };
  });
}
