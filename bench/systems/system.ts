/** How a system reaches Redis: RESP over TCP, or the Upstash REST protocol through the gateway. */
export type Transport = "tcp" | "http";

/** What the jobs do: nothing, or wait for the milliseconds that their first argument names. */
export type Workload = "noop" | "sleep";

/** What one measurement asks of a system. */
export interface Setting {
  readonly transport: Transport;
  /** Jobs that may be under way at the same time; for the floor, jobs in a batch. */
  readonly inFlight: number;
  readonly workload: Workload;
  readonly redisPort: number;
  readonly gatewayUrl: string;
  readonly token: string;
}

/** One job, as every system gets it. */
export interface SeedJob {
  readonly class: "Noop" | "Sleep";
  readonly args: readonly unknown[];
}

/** What a system itself says that a run has cost. */
export interface OwnCount {
  readonly commands: number;
  readonly requests: number;
}

/** A system that is connected and ready, the clock not yet running. */
export interface PreparedRun {
  /** Works the queue and resolves when the last of its jobs is done and settled. */
  run(): Promise<OwnCount | undefined>;
  close(): Promise<void>;
}

/** One of the compared programs. */
export interface System {
  /** Puts jobs into a queue, in the system's own format. Runs outside the measured process. */
  seed(redisPort: number, queue: string, jobs: readonly SeedJob[]): Promise<void>;
  /** @param jobs how many jobs the queue holds: what has no end of its own stops after as many */
  prepare(setting: Setting, queue: string, jobs: number): Promise<PreparedRun>;
}

/** The handler that all systems run. */
export async function perform(workload: Workload, args: readonly unknown[]): Promise<void> {
  if (workload === "sleep") await new Promise((resolve) => setTimeout(resolve, Number(args[0])));
}
