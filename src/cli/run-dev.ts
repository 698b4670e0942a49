import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../core/errors.ts";
import type { OnEvent } from "../core/events.ts";
import type { DrainReport } from "../core/report.ts";
import { upstash } from "../redis/upstash.ts";
import { formatBanner } from "./dev-banner.ts";
import { choosePort, DEV_PORTS } from "./dev-ports.ts";
import { startDevApi, startDevStore } from "./dev-system.ts";
import { drainRepeatedly } from "./drain-repeatedly.ts";
import { formatEvent } from "./job-lines.ts";
import { createLineLogger } from "./line-logger.ts";
import { buildAirlift, importApp } from "./open-app.ts";
import { readOwnPackage } from "./own-modules.ts";
import { formatCount, formatReport, formatReportLine, isIdle } from "./report-text.ts";
import { superviseProcess } from "./supervise.ts";

/** Options of `airlift dev`. */
export interface DevOptions {
  readonly app?: string;
  readonly queues?: readonly string[];
  readonly concurrency?: number;
  /** Milliseconds. @default 2000 */
  readonly interval?: number;
  readonly port?: number;
  readonly restPort?: number;
  readonly redisPort?: number;
  readonly token?: string;
  readonly once?: true;
}

const DEFAULT_INTERVAL_MS = 2_000;
/** Nothing outlives this process, so there is little to wait for. */
const GRACE_MS = 1_000;

const printLine = (line: string): void => void process.stdout.write(`${line}\n`);

/** Runs the whole system until it is told to stop. */
export async function runDev(options: DevOptions): Promise<void> {
  const { interval: intervalMs = DEFAULT_INTERVAL_MS, token = randomBytes(16).toString("hex") } = options;
  const logger = createLineLogger({ write: printLine });
  using supervision = superviseProcess(logger);
  const { ports, remarks } = await choosePorts(options);
  const store = await startDevStore(ports, token);
  try {
    const app = await importApp(options.app ?? findExamples(), { url: store.restUrl, token, source: "dev" });
    const { queues, concurrency } = options;
    // By HTTP, as it will be where it is deployed.
    const redis = upstash({ url: store.restUrl, token });
    const airlift = buildAirlift(app, logger, {
      ...{ redis, graceMs: GRACE_MS },
      ...(queues && { queues }),
      ...(concurrency !== undefined && { concurrency }),
    });
    const api = await startDevApi(airlift, ports.api, token);
    try {
      printLine(formatBanner({ ...store, app, apiUrl: api.url, token, remarks }));
      if (app.samples.length > 0) {
        await airlift.enqueueAll(app.samples);
        printLine(`enqueued ${formatCount(app.samples.length, "example job")}`);
      }
      const { signal, runHandler } = supervision;
      const drain = { onEvent: showEvent, runHandler };
      if (options.once) printLine(formatReport(await airlift.drain({ ...drain, signal })));
      else await drainRepeatedly({ airlift, intervalMs, signal, logger, drain, onReport: showReport });
    } finally {
      await api.close();
      await airlift.close();
    }
  } finally {
    await store.close();
  }
}

const showEvent: OnEvent = (event) => {
  const line = formatEvent(event);
  if (line !== undefined) printLine(line);
};

/** Says when there is nothing left to watch; an idle drain says nothing. */
function showReport(report: DrainReport): void {
  if (!isIdle(report)) printLine(`          ${formatReportLine(report)}`);
}

async function choosePorts(
  options: DevOptions,
): Promise<{ readonly ports: Record<keyof typeof DEV_PORTS, number>; readonly remarks: readonly string[] }> {
  const api = await choosePort({ option: "--port", wanted: options.port, fallback: DEV_PORTS.api }, []);
  const rest = await choosePort({ option: "--rest-port", wanted: options.restPort, fallback: DEV_PORTS.rest }, [api]);
  const redis = await choosePort({ option: "--redis-port", wanted: options.redisPort, fallback: DEV_PORTS.redis }, [
    api,
    rest,
  ]);
  const remarks = [
    { wanted: options.port ?? DEV_PORTS.api, chosen: api },
    { wanted: options.restPort ?? DEV_PORTS.rest, chosen: rest },
    { wanted: options.redisPort ?? DEV_PORTS.redis, chosen: redis },
  ]
    .filter(({ wanted, chosen }) => wanted !== chosen)
    .map(({ wanted, chosen }) => `port ${wanted} is taken, so it is ${chosen}`);
  return { ports: { api, rest, redis }, remarks };
}

function findExamples(): string {
  const file = join(readOwnPackage().root, "examples", "jobs.ts");
  if (existsSync(file)) return file;
  throw new UsageError("dev: no app; expected --app FILE");
}
