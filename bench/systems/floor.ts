import { type FloorClient, type FloorScript, openFloorScript } from "./floor-script.ts";
import { seedResqueQueue } from "./resque-queue.ts";
import { type PreparedRun, perform, type Setting, type System } from "./system.ts";

/**
 * A hand-written drain with nothing around it. No-op jobs: one call a batch, no handlers, payloads not even parsed. Jobs that take
 * time: handlers run, and every free slot is filled at once by the next call.
 */
export const floor: System = createFloor("library");

/** The same through Airlift's own HTTP client: what is lost between it and Airlift is lost in Airlift's drain. */
export const floorOwn: System = createFloor("airlift");

function createFloor(via: FloorClient): System {
  return {
    seed: seedResqueQueue,
    async prepare(setting: Setting, queue: string): Promise<PreparedRun> {
      const script = await openFloorScript(setting, queue, via);
      const worker = `resque:worker:floor-${process.pid}:1`;
      const slots = Array.from({ length: setting.inFlight }, (_, n) => `${worker}-${n}:${queue}`);
      return {
        async run() {
          await (setting.workload === "noop" ? runBatches(script, slots) : runAtOnce(script, slots));
          return undefined;
        },
        close: () => script.close(),
      };
    },
  };
}

async function runBatches(script: FloorScript, slots: readonly string[]): Promise<void> {
  let finished = 0;
  do {
    finished = (await script.exchange(slots, finished)).length;
  } while (finished > 0);
}

async function runAtOnce(script: FloorScript, slots: readonly string[]): Promise<void> {
  let running = 0;
  let isEmpty = false;
  let wake = (): void => {};
  const done: string[] = [];
  let free: string[] = [...slots];
  for (;;) {
    const settling = done.splice(0);
    // The settled slots come first: those that stay empty lose their marks, and the others had none.
    const asked = isEmpty ? settling : [...settling, ...free];
    const payloads = await script.exchange(asked, settling.length);
    free = [...asked.slice(payloads.length), ...(isEmpty ? free : [])];
    if (payloads.length < asked.length) isEmpty = true;
    payloads.forEach((payload, i) => {
      running += 1;
      const args = (JSON.parse(payload) as { args: unknown[] }).args;
      void perform("sleep", args).then(() => {
        running -= 1;
        done.push(asked[i]!);
        wake();
      });
    });
    if (done.length === 0) {
      if (running === 0) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}
