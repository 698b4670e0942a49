import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Airlift } from "../airlift.ts";
import { UsageError } from "../core/errors.ts";
import type { OnEvent } from "../core/events.ts";
import type { Logger } from "../core/job.ts";
import type { DrainReport } from "../core/report.ts";
import { serveGateway } from "../gateway/serve-gateway.ts";
import { embedded } from "../redis/embedded.ts";
import { upstash } from "../redis/upstash.ts";
import type { RedisClient } from "../resque/client.ts";
import type { App } from "./app-module.ts";
import { startDevApi } from "./dev-api.ts";
import { formatBanner } from "./dev-banner.ts";
import { DEV_PORTS, type PortRequest, startOnPort } from "./dev-ports.ts";
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

const PORTS = {
  api: ({ port }: DevOptions): PortRequest => ({ option: "--port", wanted: port, fallback: DEV_PORTS.api }),
  rest: ({ restPort }: DevOptions): PortRequest => ({
    option: "--rest-port",
    wanted: restPort,
    fallback: DEV_PORTS.rest,
  }),
  redis: ({ redisPort }: DevOptions): PortRequest => ({
    option: "--redis-port",
    wanted: redisPort,
    fallback: DEV_PORTS.redis,
  }),
};

const printLine = (line: string): void => void process.stdout.write(`${line}\n`);

/** Runs the whole system until it is told to stop. */
export async function runDev(options: DevOptions): Promise<void> {
  const { interval: intervalMs = DEFAULT_INTERVAL_MS, token = randomBytes(16).toString("hex") } = options;
  const logger = createLineLogger({ write: printLine });
  using supervision = superviseProcess(logger);
  const { signal, runHandler } = supervision;
  const drain = { onEvent: showEvent, runHandler };
  const closers: (() => Promise<void>)[] = [];
  try {
    const redis = await startOnPort(PORTS.redis(options), (port) => embedded({ port }));
    closers.push(() => redis.server.close());
    const gatewayOptions = { redisUrl: redis.server.url, tokens: [token] };
    const gateway = await startOnPort(PORTS.rest(options), (port) => serveGateway({ ...gatewayOptions, port }));
    closers.push(() => gateway.server.close());
    const restUrl = gateway.server.url;
    const app = await importApp(options.app ?? findExamples(), { url: restUrl, token, source: "dev" });
    // By HTTP, as it will be where it is deployed.
    const airlift = buildDevAirlift(app, logger, upstash({ url: restUrl, token }), options);
    closers.push(() => airlift.close());
    const api = await startOnPort(PORTS.api(options), (port) =>
      startDevApi(airlift, { port, token, drain: { ...drain, signal } }),
    );
    closers.push(() => api.server.close());

    const remarks = [api, gateway, redis].flatMap((each) => each.remarks);
    printLine(formatBanner({ app, apiUrl: api.server.url, restUrl, redisUrl: redis.server.url, token, remarks }));
    if (app.samples.length > 0) {
      await airlift.enqueueAll(app.samples);
      printLine(`enqueued ${formatCount(app.samples.length, "example job")}`);
    }
    if (options.once) printLine(formatReport(await airlift.drain({ ...drain, signal })));
    else await drainRepeatedly({ airlift, intervalMs, signal, logger, drain, onReport: showReport });
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

function buildDevAirlift(app: App, logger: Logger, redis: RedisClient, options: DevOptions): Airlift {
  // Nobody else's queues are in this Redis.
  const { queues = app.airlift ? undefined : ["*"], concurrency } = options;
  return buildAirlift(app, logger, {
    ...{ redis, graceMs: GRACE_MS },
    ...(queues && { queues }),
    ...(concurrency !== undefined && { concurrency }),
  });
}

const showEvent: OnEvent = (event) => {
  const line = formatEvent(event);
  if (line !== undefined) printLine(line);
};

/** Says when there is nothing left to watch; an idle drain says nothing. */
function showReport(report: DrainReport): void {
  if (!isIdle(report)) printLine(`          ${formatReportLine(report)}`);
}

function findExamples(): string {
  const file = join(readOwnPackage().root, "examples", "jobs.ts");
  if (existsSync(file)) return file;
  throw new UsageError("dev: no app; expected --app FILE");
}
