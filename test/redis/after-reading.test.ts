import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { afterReading } from "../../src/redis/after-reading.ts";
import { createNodePoster } from "../../src/redis/http-post-node.ts";
import { ioredis } from "../../src/redis/ioredis.ts";

const LIMIT_MS = 1_000;
const HTTP = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes";
const REDIS = "+PONG\r\n";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A server in a thread of its own, which answers everything alike. */
async function startServer(answer: string) {
  const answers = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `const { workerData: { answer, answers }, parentPort } = require("node:worker_threads");
    const server = require("node:net").createServer((socket) => {
      socket.on("error", () => undefined).on("data", () => socket.write(answer, () => {
        Atomics.add(answers, 0, 1);
        Atomics.notify(answers, 0);
      }));
    });
    server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));`,
    { eval: true, workerData: { answer, answers } },
  );
  cleanUps.push(() => worker.terminate());
  const [port] = (await once(worker, "message")) as [number];
  /** Keeps this thread until the next answer is there and the time that is left for it is over. */
  const keepBusy = (): void => {
    const startMs = performance.now();
    Atomics.wait(answers, 0, 1, 20_000);
    while (performance.now() - startMs < LIMIT_MS + 5);
  };
  return { address: `127.0.0.1:${port}`, keepBusy };
}

test("an answer of Redis that came while the loop was busy counts, and its connection is kept", async () => {
  const { address, keepBusy } = await startServer(REDIS);
  const client = ioredis({ url: `redis://${address}`, commandTimeoutMs: LIMIT_MS });
  cleanUps.push(() => client.close());
  await client.command(["PING"]);
  const call = client.command(["PING"]);
  keepBusy();
  expect(await call).toBe("PONG");
  expect(await client.command(["PING"])).toBe("PONG");
});

test("an answer over HTTP that came while the loop was busy counts", async () => {
  const { address, keepBusy } = await startServer(HTTP);
  const poster = createNodePoster({ url: `http://${address}`, headers: {}, timeoutMs: LIMIT_MS });
  cleanUps.push(poster.close);
  await poster.post("/", "{}");
  const call = poster.post("/", "{}");
  // It is sent with the next tick.
  process.nextTick(keepBusy);
  expect(await call).toMatchObject({ status: 200, text: "yes" });
});

test("what is cancelled does not come, not even when its time was up", async () => {
  const come: string[] = [];
  const after = (name: string, ms = 1) => afterReading(ms, () => come.push(name));
  after("first");
  after("cancelled", 60_000)();
  const cancel = after("cancelled at last");
  const isUp = new Promise((resolve) => setTimeout(resolve, 1)).then(cancel);
  // All of them are due at once, when the loop is free again.
  for (const startMs = performance.now(); performance.now() - startMs < 10; );
  await isUp;
  await new Promise(setImmediate);
  expect(come).toEqual(["first"]);
});
