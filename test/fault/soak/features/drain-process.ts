import { createAirlift } from "../../../../src/airlift.ts";
import { upstash } from "../../../../src/redis/upstash.ts";
import { hostSettings, say, tickUntilTold, watchStandstill } from "../../harness/host-process.ts";
import { openRunLog } from "../../harness/run-log.ts";
import { featureApp } from "./app.ts";
import { createRecorder } from "./run-records.ts";

/** What a process of this soak is told. */
export interface FeatureSettings {
  readonly name: string;
  readonly url: string;
  readonly token: string;
  readonly logFile: string;
  readonly queues: readonly string[];
  readonly leaseMs: number;
  readonly requestTimeoutMs: number;
  readonly tickMs: number;
  readonly receiverUrl: string;
}

/** A process of a host: drains again and again, with every feature in use. */
const settings = hostSettings<FeatureSettings>();
const { name, url, token, queues, leaseMs, requestTimeoutMs, tickMs } = settings;
const log = openRunLog(settings.logFile, name);
let drainId = "";

const airlift = createAirlift({
  redis: upstash({ url, token, requestTimeoutMs }),
  ...{ queues, leaseMs, concurrency: 12, marginMs: 400, graceMs: 500 },
  // A job that others' deaths take down again and again must not come to its end by that.
  crashLimit: 1_000,
  ...featureApp(
    createRecorder(log, () => drainId),
    settings.receiverUrl,
  ),
  logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  onEvent(event) {
    if (event.kind === "drain-started") drainId = event.drainId;
    if (event.kind === "drain-failed") say({ failed: String(event.error) });
  },
});

watchStandstill(leaseMs / 4, (fromMs, toMs) => log.write("standstill", "", `${fromMs} ${toMs}`));
await tickUntilTold(
  async () => {
    const { stopped, claimed, promoted, scheduled, recovered, lost } = await airlift.drain({
      deadlineMs: Date.now() + tickMs,
    });
    say({ stopped, claimed, promoted, scheduled, recovered, lost });
  },
  { pauseMs: 50, maxTicks: 40 },
);
await airlift.close();
