import { createAirlift } from "../../../src/airlift.ts";
import type { JobContext } from "../../../src/core/job-context.ts";
import { upstash } from "../../../src/redis/upstash.ts";
import { hostSettings, say, tickUntilTold, watchStandstill } from "../harness/host-process.ts";
import { createRandom } from "../harness/random.ts";
import { openRunLog } from "../harness/run-log.ts";
import { idIn } from "../payload-forms.ts";
import { SOAK_CLASSES } from "./payload-bytes.ts";
import { fingerprint, idOfArgs, planOf, SoakError, withoutOwnMember } from "./soak-job.ts";

/** What a process of the soak is told. */
export interface DrainSettings {
  readonly name: string;
  readonly url: string;
  readonly token: string;
  readonly queues: readonly string[];
  readonly logFile: string;
  readonly seed: number;
  readonly leaseMs: number;
  readonly jobTimeoutMs: number;
  readonly claimForMs: readonly [min: number, max: number];
  readonly requestTimeoutMs: number;
}

/** A process of a host: drains again and again, and writes what becomes of each job before it is so. */
const settings = hostSettings<DrainSettings>();
const { name, seed, leaseMs, jobTimeoutMs } = settings;
const random = createRandom(seed, name);
const log = openRunLog(settings.logFile, name);
const CLASSES: ReadonlySet<string> = new Set(SOAK_CLASSES);

const perform = (_args: readonly unknown[], job: JobContext): Promise<void> | undefined => {
  const id = idIn(job.raw) ?? -1;
  const { payload, hadMember } = withoutOwnMember(job.raw);
  log.write("start", String(id), `${fingerprint(payload)}${hadMember ? " recovered" : ""}`);
  job.signal.addEventListener("abort", () => log.write("abort", String(id), nameOf(job.signal.reason)));
  const { durationMs, fails } = planOf(seed, id);
  const end = (): undefined => {
    log.write("end", String(id), fails ? "fails" : "");
    if (fails) throw new SoakError(id);
  };
  // Some return at once, without a promise.
  return durationMs === 0 ? end() : new Promise((resolve) => setTimeout(resolve, durationMs)).then(end);
};

const airlift = createAirlift({
  redis: upstash({ url: settings.url, token: settings.token, requestTimeoutMs: settings.requestTimeoutMs }),
  queues: settings.queues,
  concurrency: 25,
  leaseMs,
  // A job that others' deaths take down again and again must not come to its end by that.
  crashLimit: 1_000,
  marginMs: 500,
  graceMs: 1_000,
  jobs: SOAK_CLASSES.map((className) => ({ class: className, timeoutMs: jobTimeoutMs, perform })),
  hooks: {
    onComplete({ class: className, args, state }) {
      // One of a class that nobody knows has had no run that could be over.
      if (CLASSES.has(className)) log.write("settled", String(idOfArgs(args) ?? -1), state);
    },
  },
  logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  onEvent(event) {
    if (event.kind === "drain-failed") log.write("drain-failed", "", String(event.error).replaceAll(/\s+/g, " "));
    if (event.kind === "drain-recovered") log.write("recovered", "", `${event.drainId} ${event.requeued}`);
    if (event.kind === "job-lost") log.write("lost", "");
    if (event.kind === "store-retry") say({ retry: event.error.reason });
  },
});

watchStandstill(leaseMs / 4, (fromMs, toMs) => log.write("standstill", "", `${fromMs} ${toMs}`));
await tickUntilTold(
  async () =>
    say({
      report: await airlift.drain({ deadlineMs: Date.now() + jobTimeoutMs + random.whole(...settings.claimForMs) }),
    }),
  {
    pauseMs: 30,
    maxTicks: 12,
  },
);
await airlift.close();

function nameOf(reason: unknown): string {
  return reason instanceof Error ? `${reason.name}: ${reason.message}`.replaceAll(/\s+/g, " ") : String(reason);
}
