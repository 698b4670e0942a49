import { cpus, loadavg } from "node:os";
import { bundleProcesses } from "./harness/bundle.ts";
import { type Bench, type Measurement, measure } from "./harness/measure.ts";
import { type BenchOptions, BenchUsageError, HELP, parseOptions } from "./harness/options.ts";
import { installedVersion, installPeers } from "./harness/peers.ts";
import { orderOfRound, planFigures, planTable } from "./harness/plan.ts";
import { NoRedisServerError, type RedisServer, startRedisServer } from "./harness/redis-server.ts";
import { formatReport } from "./harness/report.ts";
import { type Service, startService } from "./harness/service.ts";
import { toRows } from "./harness/statistics.ts";
import { type FigureMeasurement, judge } from "./harness/targets.ts";

const TOKEN = "bench";

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") console.log(HELP);
  else await run(options);
} catch (error) {
  if (!(error instanceof BenchUsageError || error instanceof NoRedisServerError)) throw error;
  console.error(error.message);
  process.exitCode = error instanceof BenchUsageError ? 2 : 1;
}

async function run(asked: BenchOptions): Promise<void> {
  const redis = await startRedisServer();
  const missing = installPeers(asked.only);
  for (const name of missing) console.error(`${name}: could not be installed, left out`);
  const options = { ...asked, only: asked.only.filter((name) => !missing.includes(name)) };
  const bundles = await bundleProcesses();
  const gateway = await startService(bundles.gateway, { redisPort: redis.port, token: TOKEN });
  const folder = options.profileFolder;
  const execArgv = folder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${folder}`];
  const bench = { bundles, redis, gateway, token: TOKEN, execArgv };
  const relays = options.latencyMs > 0 ? await startRelays(bench, options.latencyMs) : undefined;
  const loadBefore = loadavg()[0]!;
  try {
    const results = await measureAll(relays === undefined ? bench : { ...bench, relays }, options);
    const rows = toRows(results.table);
    const machine = await describe(redis, loadBefore);
    const targets = judge(rows, results.figures);
    const report = { machine, options, ...results, rows, targets };
    console.log(options.isJson ? JSON.stringify(report, null, 2) : formatReport(report));
  } finally {
    await Promise.all([gateway, ...Object.values(relays ?? {})].map((service) => service.stop()));
    await redis.stop();
  }
}

async function measureAll(bench: Bench, options: BenchOptions) {
  const cells = planTable(options);
  const figures = options.hasFigures ? planFigures(options) : [];
  const table: Measurement[] = [];
  const measured: FigureMeasurement[] = [];
  const total = options.rounds * (cells.length + figures.length);
  for (let round = 0; round < options.rounds; round += 1) {
    for (const spec of orderOfRound(cells, round)) {
      tell(total, table.length + measured.length, `${spec.system} (${spec.transport}) at ${spec.inFlight}`);
      table.push(await measure(bench, spec));
    }
    for (const { name, spec } of orderOfRound(figures, round)) {
      tell(total, table.length + measured.length, `${name} ${spec.system}`);
      measured.push({ name, measurement: await measure(bench, spec) });
    }
  }
  tell(total, total, "");
  return { table, figures: measured };
}

/** Progress, on a terminal only. */
function tell(total: number, done: number, text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${done === total ? "" : `${done}/${total} ${text}`}`);
}

async function startRelays(bench: Bench, delayMs: number): Promise<{ redis: Service; gateway: Service }> {
  const start = (port: number): Promise<Service> => startService(bench.bundles.latency, { port, delayMs });
  return { redis: await start(bench.redis.port), gateway: await start(bench.gateway.port) };
}

async function describe(redis: RedisServer, loadBefore: number) {
  const names = ["@upstash/redis", "ioredis", "bullmq", "node-resque"];
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? "unknown",
    node: process.version,
    redis: redis.version,
    packages: Object.fromEntries(names.map((name) => [name, installedVersion(name) ?? "not installed"])),
    /** Load average of the minute before the run and of its last minute: anything beside the benchmarks blurs them. */
    load: [loadBefore, loadavg()[0]!] as const,
  };
}
