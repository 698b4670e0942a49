import { hostSettings, say, tickUntilTold, watchStandstill } from "./host-process.ts";
import { monotonicMs } from "./monotonic.ts";

/** A process for the host's own tests: tells at each tick what it is, and what time it takes it to be. */
const { name, maxTicks } = hostSettings<{ name: string; maxTicks?: number }>();

watchStandstill(100, (fromMs, toMs) => say({ standstillMs: toMs - fromMs }));
await tickUntilTold(
  async () => {
    say({
      name,
      nowMs: Date.now(),
      newIso: new Date().toISOString(),
      fixed: new Date(0).toISOString(),
      atMs: monotonicMs(),
    });
    if (maxTicks === 2) throw new TypeError("no");
  },
  { pauseMs: 10, ...(maxTicks !== undefined && { maxTicks }) },
);
