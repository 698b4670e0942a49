import { execFile, spawn } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type ServerType, serve } from "@hono/node-server";
import { Redis } from "ioredis";
import { Queue } from "node-resque";
import { createAirlift } from "../../../src/airlift.ts";
import { createHttpApp } from "../../../src/http/app.ts";
import { ioredis } from "../../../src/redis/ioredis.ts";
import { createKeys } from "../../../src/resque/keys.ts";
import { findRuby, rubyOptions } from "../../interop/ruby/find-ruby.ts";
import type { SoakJob } from "./jobs.ts";
import type { Producer } from "./payload-bytes.ts";

/** Programs that put jobs into their queues, each in its own way. */
export interface Producers extends AsyncDisposable {
  /** Ends when all of them are in Redis; then tells them with the bytes that they have there. */
  produce(jobs: readonly SoakJob[]): Promise<readonly SoakJob[]>;
  /** The versions of a Ruby that makes its jobs itself; undefined if they are pushed in its name. */
  readonly ruby: string | undefined;
}

/** Puts jobs into their queues; tells them if their bytes are known only then. */
type Way = (jobs: readonly SoakJob[]) => Promise<readonly SoakJob[] | undefined>;

const MAIN = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));
const TOKEN = "soak-enqueue-token-0123456789";
const keys = createKeys();
const run = promisify(execFile);

/**
 * With AIRLIFT_RUBY, as for the tests beside Ruby, its Resque is one of them.
 *
 * @param folder for files that one of them reads
 */
export async function openProducers(redisUrl: string, folder: string): Promise<Producers> {
  const redis = new Redis(redisUrl, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  redis.on("error", () => undefined); // refused while it restarts
  const nodeResque = new Queue({ connection: { redis } });
  nodeResque.on("error", () => undefined);
  await nodeResque.connect();
  const client = ioredis(redisUrl);
  const airlift = createAirlift({ redis: client, queues: ["*"], jobs: [] });
  const app = createHttpApp(airlift, { tokens: { enqueue: TOKEN } });
  const server = await new Promise<ServerType>((resolve) => {
    const started = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, () => resolve(started));
  });
  const { port } = server.address() as AddressInfo;
  const ruby = findRuby();
  let files = 0;

  const parse = ({ bytes }: SoakJob) => JSON.parse(bytes.toString()) as { class: string; args: unknown[] };

  const viaNodeResque: Way = async (jobs) => {
    for (const job of jobs) {
      const { class: className, args } = parse(job);
      await nodeResque.enqueue(job.queue, className, args);
    }
  };
  const viaAirlift: Way = async (jobs) => {
    const [one, ...rest] = jobs.map((job) => ({ queue: job.queue as string, ...parse(job) }));
    if (one) await airlift.enqueue(one);
    await airlift.enqueueAll(rest);
  };
  const viaHttp: Way = async (jobs) => {
    for (const [queue, ofQueue] of Map.groupBy(jobs, (job) => job.queue)) {
      const texts = ofQueue.map(({ bytes }) => bytes.toString());
      const half = Math.ceil(texts.length / 2);
      const post = async (type: string, body: string): Promise<void> => {
        const response = await fetch(`http://127.0.0.1:${port}/queues/${encodeURIComponent(queue)}/jobs`, {
          method: "POST",
          headers: { authorization: `Bearer ${TOKEN}`, "content-type": type },
          body,
        });
        const text = await response.text();
        if (!response.ok) throw new Error(`POST /queues/${queue}/jobs: ${response.status} ${text}`);
      };
      // An array's body has a size that the endpoint allows; a stream of lines has none.
      for (let i = 0; i < half; i += 20) await post("application/json", `[${texts.slice(i, Math.min(i + 20, half))}]`);
      await post("application/x-ndjson", texts.slice(half).join("\n"));
    }
  };
  const viaCli: Way = async (jobs) => {
    const file = join(folder, `jobs-${++files}.ndjson`);
    await writeFile(
      file,
      jobs.map(({ bytes, queue }) => `{"queue":"${queue}",${bytes.toString().slice(1)}`).join("\n"),
    );
    const args = [MAIN, "enqueue", "--file", file, "--redis", redisUrl, "--json"];
    const { stdout } = await run(process.execPath, args);
    const { enqueued } = JSON.parse(stdout) as { enqueued: number };
    if (enqueued !== jobs.length) throw new Error(`airlift enqueue --file: ${enqueued} of ${jobs.length} enqueued`);
    await rm(file);
  };
  const viaPush: Way = async (jobs) => {
    for (const [queue, ofQueue] of Map.groupBy(jobs, (job) => job.queue)) {
      const pushes = redis.multi().sadd(keys.queues, queue);
      for (const { bytes } of ofQueue) pushes.rpush(keys.queue(queue), bytes);
      await pushes.exec();
    }
  };
  const viaRuby =
    (executable: string): Way =>
    async (jobs) => {
      const lines = jobs.map(({ queue, bytes }) => `[${JSON.stringify(queue)},${bytes.toString().trim()}]\n`);
      const payloads = await runRuby(executable, redisUrl, lines.join(""));
      if (payloads.length !== jobs.length) throw new Error(`Ruby: ${payloads.length} of ${jobs.length} jobs enqueued`);
      return jobs.map((job, index) => ({ ...job, bytes: Buffer.from(payloads[index] as string) }));
    };
  const ways: Partial<Record<Producer, Way>> = {
    ...{ "node-resque": viaNodeResque, airlift: viaAirlift, "airlift-http": viaHttp, "airlift-cli": viaCli },
    ...(typeof ruby === "object" && { ruby: viaRuby(ruby.executable) }),
  };

  return {
    ruby: typeof ruby === "object" ? `Ruby ${ruby.versions["ruby"]}, Resque ${ruby.versions["resque"]}` : undefined,
    async produce(jobs) {
      const byWay = Map.groupBy(jobs, ({ producer }) => ways[producer] ?? viaPush);
      const written = await Promise.all([...byWay].map(async ([way, its]) => (await way(its)) ?? its));
      return written.flat();
    },
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
      await nodeResque.end();
      redis.disconnect();
      await client.close();
    },
  };
}

/** What `produce.rb` says to these lines, line by line. */
async function runRuby(executable: string, redisUrl: string, input: string): Promise<readonly string[]> {
  const script = fileURLToPath(new URL("produce.rb", import.meta.url));
  const env = { ...process.env, REDIS_URL: redisUrl, RUBYOPT: rubyOptions(process.env) };
  const child = spawn(executable, [script], { env, stdio: ["pipe", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => (status === 0 ? resolve() : reject(new Error(`Ruby ended with ${status}`))));
  });
  child.stdin.on("error", () => undefined); // it has ended, which says more
  child.stdin.end(input);
  await ended;
  return Buffer.concat(chunks).toString().split("\n").filter(Boolean);
}
