import { readFileSync } from "node:fs";
import { loadSystem } from "../systems/catalogue.ts";
import type { OwnCount, PreparedRun, Setting } from "../systems/system.ts";

/** What the harness asks of one measured process. */
export interface WorkerTask {
  readonly system: string;
  readonly setting: Setting;
  /** Runs other jobs first, until a round of them takes this long; 0 for a cold run. */
  readonly warmMs: number;
}

/** The steps of a measured process, each answered by the harness before the next begins. */
export type WorkerMessage =
  | { readonly kind: "seed"; readonly queue: string; readonly count: number }
  /** Warm, at so many jobs a second; answered with the number of jobs that now lie in the queue `bench`. */
  | { readonly kind: "warm"; readonly rate: number }
  | { readonly kind: "ready" }
  | ({ readonly kind: "done" } & WorkerFigures);

export interface WorkerFigures {
  readonly wallMs: number;
  readonly cpuMicros: number;
  /** The largest resident set since the process began. */
  readonly peakBytes: number;
  readonly own?: OwnCount;
}

const task = JSON.parse(process.argv[2]!) as WorkerTask;
const system = await loadSystem(task.system);

const count = await tell<number>({ kind: "warm", rate: await warm() });
const prepared = await system.prepare(task.setting, "bench", count);
await tell({ kind: "ready" });
const { own, ...figures } = await measure(prepared);
await tell({ kind: "done", ...figures, ...(own === undefined ? {} : { own }) });
process.exit();

async function warm(): Promise<number> {
  if (task.warmMs === 0) return 0;
  for (let jobs = Math.max(100, 4 * task.setting.inFlight); ; jobs *= 3) {
    await tell({ kind: "seed", queue: "warm", count: jobs });
    const run = await system.prepare(task.setting, "warm", jobs);
    const { wallMs } = await measure(run);
    await run.close();
    if (wallMs >= task.warmMs) return (jobs / wallMs) * 1_000;
  }
}

async function measure(run: PreparedRun) {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const own = await run.run();
  const wallMs = performance.now() - startMs;
  const { user, system: kernel } = process.cpuUsage(cpu);
  return { own, wallMs, cpuMicros: user + kernel, peakBytes: readPeakBytes() };
}

/** `ru_maxrss` would not do on Linux: it starts at what the parent held when it forked. */
function readPeakBytes(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1_024;
  return Number(/^VmHWM:\s*(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1_024;
}

function tell<T>(message: WorkerMessage): Promise<T> {
  return new Promise((resolve) => {
    process.once("message", (answer) => resolve(answer as T));
    process.send?.(message);
  });
}
