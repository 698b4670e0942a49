/**
 * How drains share one Redis: the same jobs, each a wait of 200 ms, by 1, 2, 4 and 8 drains at the same time, each in a process of its own,
 * 25 jobs in flight, over HTTP. The waits are what a job that calls other services consists of; drains that
 * only compute share the cores of one machine, and would tell of those.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { serveGateway } from "../src/gateway/serve-gateway.ts";
import { createAirlift, type DrainReport } from "../src/index.ts";
import { upstash } from "../src/redis/upstash.ts";
import { startRedisServer } from "./harness/redis-server.ts";
import { formatTable } from "./harness/table.ts";

const JOBS = 2_000;
const JOB_MS = 200;
const DRAINS = [1, 2, 4, 8];
const TOKEN = "scale-out";

if (process.send) await drainWhenTold(process.argv[2] as string);
else await measure();

async function drainWhenTold(url: string): Promise<void> {
  const perform = () => new Promise((resolve) => setTimeout(resolve, JOB_MS));
  const airlift = createAirlift({
    redis: upstash({ url, token: TOKEN }),
    queues: ["q"],
    jobs: [{ class: "Wait", perform }],
  });
  // Modules, connection and scripts are there before the clock starts.
  await airlift.enqueue({ queue: "q", class: "Wait" });
  await airlift.drain();
  process.send?.("ready");
  await once(process, "message");
  process.send?.(await airlift.drain());
  await airlift.close();
  process.disconnect();
}

async function measure(): Promise<void> {
  const server = await startRedisServer();
  const gateway = await serveGateway({ redisUrl: `redis://127.0.0.1:${server.port}`, tokens: [TOKEN] });
  const rows: string[][] = [];
  for (const count of DRAINS) {
    const children = Array.from({ length: count }, () => fork(fileURLToPath(import.meta.url), [gateway.url]));
    await Promise.all(children.map(nextMessage));
    await server.flush();
    const payloads = Array.from({ length: JOBS }, (_, n) => `{"class":"Wait","args":[${n}]}`);
    await server.client.rpush("resque:queue:q", ...payloads);
    const startMs = performance.now();
    for (const child of children) child.send("go");
    const reports = (await Promise.all(children.map(nextMessage))) as DrainReport[];
    const seconds = (performance.now() - startMs) / 1_000;
    const sum = (of: (report: DrainReport) => number): number =>
      reports.reduce((total, report) => total + of(report), 0);
    if (sum(({ succeeded }) => succeeded) !== JOBS || sum(({ lost }) => lost) > 0)
      throw new Error("jobs were lost or run twice");
    const shares = reports.map(({ succeeded }) => succeeded).sort((a, b) => a - b);
    rows.push([
      String(count),
      seconds.toFixed(2),
      (JOBS / seconds).toFixed(0),
      `${((JOBS / seconds / ((count * 25 * 1_000) / JOB_MS)) * 100).toFixed(0)} %`,
      (sum(({ commands }) => commands) / JOBS).toFixed(3),
      `${shares[0]} to ${shares.at(-1)}`,
    ]);
  }
  const head = ["drains", "seconds", "jobs/s", "of what they could", "commands/job", "jobs each"];
  console.log(formatTable(head, rows));
  await gateway.close();
  await server.stop();
}

async function nextMessage(child: ChildProcess): Promise<unknown> {
  return (await once(child, "message"))[0];
}
