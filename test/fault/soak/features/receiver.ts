import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { createJobFunction } from "../../../../src/job-function/job-function.ts";
import { verifyJobRequest } from "../../../../src/platform/verify-job-request.ts";
import type { RedisClient } from "../../../../src/resque/client.ts";
import { monotonicMs } from "../../harness/monotonic.ts";
import type { RunLog } from "../../harness/run-log.ts";
import { LATE_MS, type Reception, receivedJobs, receptionOf } from "./detached.ts";
import { createRecorder } from "./run-records.ts";

export const RECEIVER_SECRET: string = `whsec_${Buffer.alloc(32, "the soak's secret").toString("base64")}`;

/** An endpoint that takes jobs, says that it will acknowledge them, and does so, or not. */
export interface Receiver extends AsyncDisposable {
  readonly url: string;
  /** How often it did what. */
  readonly receptions: Readonly<Record<string, number>>;
  /** Ends when all that it has taken is over. */
  idle(): Promise<void>;
}

/** @param redis where it acknowledges */
export async function startReceiver(redis: RedisClient, log: RunLog): Promise<Receiver> {
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const jobs = receivedJobs(createRecorder(log, () => "receiver"));
  const jobFunction = createJobFunction({ jobs, redis, logger: silent, marginMs: 100 });
  const receptions: Record<string, number> = {};
  const underWay = new Set<Promise<unknown>>();

  const receive = async (message: object, reception: Reception): Promise<void> => {
    if (reception === "forgets") return;
    if (reception === "runs late") await sleepUntil(monotonicMs() + LATE_MS);
    const runs = reception === "runs twice" ? [1, 2] : [1];
    await Promise.all(runs.map(() => jobFunction.run(message)));
  };
  const server = createServer((request, response) => {
    void (async () => {
      const message = await verifyJobRequest(await toRequest(request), { secret: RECEIVER_SECRET });
      const { payload, attempt } = "job" in message ? message.job : { payload: "", attempt: 1 };
      const reception = receptionOf(payload, attempt);
      receptions[reception] = (receptions[reception] ?? 0) + 1;
      response.writeHead(202).end();
      const work = receive(message, reception).catch(() => undefined);
      underWay.add(work);
      void work.finally(() => underWay.delete(work));
    })().catch((error: unknown) => response.writeHead(400).end(String(error)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    receptions,
    async idle() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await jobFunction.close();
    },
  };
}

async function toRequest(message: IncomingMessage): Promise<Request> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  const headers = Object.entries(message.headers).map(([name, value]) => [name, String(value)] as [string, string]);
  return new Request("http://receiver/", { method: message.method ?? "POST", headers, body: Buffer.concat(chunks) });
}

function sleepUntil(atMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, atMs - monotonicMs()));
}
