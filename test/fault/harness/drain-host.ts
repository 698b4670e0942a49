import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { until } from "../../support/until.ts";
import { type ClockShift, clockArguments } from "./clock-shift.ts";
import { UP } from "./host-process.ts";
import { monotonicMs } from "./monotonic.ts";

export interface DrainHostOptions {
  readonly name: string;
  /** The module that each process runs; see `host-process.ts`. */
  readonly module: URL;
  /** What the process of this name is told, as JSON. */
  readonly settingsOf: (processName: string) => object;
  readonly clock?: ClockShift;
  /** From the end of one process to the start of the next. @default 100 */
  readonly pauseMs?: number;
  /** Told each line that a process says. */
  readonly onLine?: (line: unknown, processName: string) => void;
  /** Told what is done to processes, and when. */
  readonly onEvent?: (event: HostEvent) => void;
}

/** What has happened to a process. A freeze is told when it has taken hold, a thaw before it is asked for. */
export interface HostEvent {
  readonly atMs: number;
  readonly process: string;
  readonly kind: "started" | "killed" | "frozen" | "thawed" | "ended";
  /** Of one that ended: its exit status, or its signal. */
  readonly status?: string;
}

/** A host that starts a process for drains, and another whenever one ends, as a scheduler does. */
export interface DrainHost {
  readonly name: string;
  /** The process that runs: `<host>.<number>`; undefined between two. */
  readonly current: string | undefined;
  /** Whether its process has begun its ticks: what is done to one that only starts harms nothing. */
  readonly isUp: boolean;
  readonly isFrozen: boolean;
  /** Ends the process with KILL, frozen or not. False if there is none. */
  kill(): Promise<boolean>;
  /** Stops it (STOP) where it stands. False if there is none, or if it is frozen already. */
  freeze(): Promise<boolean>;
  /** Lets it go on (CONT). False if it is not frozen. */
  thaw(): boolean;
  /** Starts no more, asks the one that runs to end after its drain, and waits for that. */
  stop(): Promise<void>;
  /** Ends everything at once. */
  abort(): Promise<void>;
}

/** Starts the first process. What processes write to stderr is passed on. */
export function startDrainHost(options: DrainHostOptions): DrainHost {
  const { name, module, settingsOf, clock = {}, pauseMs = 100, onLine, onEvent } = options;
  let child: ChildProcess | undefined;
  let current: string | undefined;
  let isUp = false;
  let isFrozen = false;
  let isStopping = false;
  let count = 0;
  const stopping = Promise.withResolvers<void>();

  const tell = (kind: HostEvent["kind"], processName: string, status?: string): void =>
    onEvent?.({ atMs: monotonicMs(), process: processName, kind, ...(status !== undefined && { status }) });

  const runOne = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const processName = `${name}.${++count}`;
      const { args, env } = clockArguments(clock);
      const started = spawn(
        process.execPath,
        [...args, fileURLToPath(module), JSON.stringify(settingsOf(processName))],
        { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "inherit"] },
      );
      started.stdin.on("error", () => undefined); // it has ended
      createInterface({ input: started.stdout }).on("line", (line) => {
        const said = parse(line);
        if (isUpLine(said)) isUp = child === started;
        else onLine?.(said, processName);
      });
      child = started;
      current = processName;
      isUp = false;
      isFrozen = false;
      tell("started", processName);
      started.once("error", reject);
      started.once("close", (status, signal) => {
        child = undefined;
        current = undefined;
        isUp = false;
        isFrozen = false;
        tell("ended", processName, String(status ?? signal));
        resolve();
      });
      if (isStopping) started.stdin.end();
    });

  const running = (async () => {
    while (!isStopping) {
      await runOne();
      await Promise.race([new Promise((resolve) => setTimeout(resolve, pauseMs)), stopping.promise]);
    }
  })();

  const halt = (): void => {
    isStopping = true;
    stopping.resolve();
  };
  const kill = async (): Promise<boolean> => {
    const victim = child;
    if (!victim || !current) return false;
    tell("killed", current);
    const ended = new Promise((resolve) => victim.once("close", resolve));
    victim.kill("SIGKILL");
    await ended;
    return true;
  };
  return {
    name,
    get current() {
      return current;
    },
    get isUp() {
      return isUp;
    },
    get isFrozen() {
      return isFrozen;
    },
    kill,
    async freeze() {
      const victim = child;
      const victimName = current;
      if (!victim || !victimName || isFrozen) return false;
      isFrozen = true;
      victim.kill("SIGSTOP");
      await until(() => child !== victim || isStopped(victim.pid as number));
      if (child !== victim) return false;
      tell("frozen", victimName);
      return true;
    },
    thaw() {
      if (!child || !current || !isFrozen) return false;
      isFrozen = false;
      tell("thawed", current);
      child.kill("SIGCONT");
      return true;
    },
    async stop() {
      halt();
      child?.stdin?.end();
      await running;
    },
    async abort() {
      halt();
      await kill();
      await running;
    },
  };
}

/** Whether a process stands still, where the machine tells; elsewhere it is taken for granted. */
function isStopped(pid: number): boolean {
  try {
    return /\) [Tt] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return true;
  }
}

function isUpLine(said: unknown): boolean {
  return JSON.stringify(said) === JSON.stringify(UP);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Error(`a drain's process said what is no JSON: ${line}`);
  }
}
