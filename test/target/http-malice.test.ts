import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { http } from "../../src/target/http.ts";
import { createFetchSend } from "../../src/target/http-send-fetch.ts";
import { createNodeSend } from "../../src/target/http-send-node.ts";
import { type AppWorld, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";
import { stopTime } from "../support/stopped-time.ts";
import { until } from "../support/until.ts";
import { type Answer, answering, type Endpoint, SECRET, startEndpoint } from "./endpoint.ts";

let world: AppWorld;
let endpoint: Endpoint;

beforeAll(async () => {
  [world, endpoint] = await Promise.all([openAppWorld(setups()[0] as never), startEndpoint()]);
});
beforeEach(async () => {
  await world.flush();
  endpoint.requests.length = 0;
});
afterAll(async () => {
  await endpoint[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

/** Writes for ever, as fast as it is read; tells how much that was. */
function endless(status: number, type: string, first = ""): { readonly answer: Answer; readonly sent: () => number } {
  let bytes = 0;
  const chunk = Buffer.alloc(65_536, "x");
  const pour = (response: ServerResponse): void => {
    while (!response.destroyed && response.write(chunk)) bytes += chunk.length;
  };
  const answer: Answer = (response) => {
    response.writeHead(status, { "content-type": type });
    response.write(first);
    response.on("drain", () => pour(response));
    pour(response);
  };
  return { answer, sent: () => bytes };
}

async function drain(timeoutMs = 10_000, maxReplyBytes = 100_000) {
  await world.push("q", '{"class":"Send","args":[]}');
  const perform = http(endpoint.url, { secret: SECRET, maxReplyBytes });
  return await world.app({ jobs: [{ class: "Send", timeoutMs, perform }] }).drain();
}

/** What the kernel may hold of an answer on its way, besides what was read of it. */
const IN_FLIGHT_BYTES = 12_000_000;

describe("an answer without an end", () => {
  test.each([
    ["is done by its status", 200, "text/plain", "", { succeeded: 1 }],
    ["is done by its status, JSON or not", 200, "application/json", '{"answer":"', { succeeded: 1 }],
    ["fails if it was to be Airlift's", 200, "application/json", '{"airlift":1,"outcomes":{"', { failed: 1 }],
    [
      "fails if it was to tell why",
      200,
      "application/json",
      '{"airlift":1,"outcome":{"kind":"failed","',
      { failed: 1 },
    ],
    [
      "is done if it was to be a result",
      200,
      "application/json",
      '{"airlift":1,"outcome":{"kind":"ok","',
      { succeeded: 1 },
    ],
    ["fails by its status", 400, "text/plain", "", { failed: 1 }],
    ["is tried again by its status", 503, "text/plain", "", { retried: 1 }],
    ["fails as a redirect", 302, "text/plain", "", { failed: 1 }],
  ])("%s, and is read no further", async (_, status, type, first, expected) => {
    const { answer, sent } = endless(status, type, first);
    endpoint.answer = answer;
    const before = endpoint.abandoned;
    expect(await drain()).toMatchObject(expected);
    await until(() => endpoint.abandoned > before);
    expect(sent()).toBeLessThan(IN_FLIGHT_BYTES);
  });
});

describe("an answer that trickles", () => {
  let dots = 0;
  const trickling =
    (status: number): Answer =>
    (response) => {
      dots = 0;
      response.writeHead(status, { "content-type": "text/plain" });
      const drip = (): void => {
        dots++;
        response.write(".");
      };
      drip();
      const timer = setInterval(drip, 10);
      response.once("close", () => clearInterval(timer));
    };

  test("ends by the job's time limit, though it is a 2xx", async () => {
    endpoint.answer = trickling(200);
    const before = endpoint.abandoned;
    using time = stopTime();
    const drained = drain(100);
    await until(() => dots > 3);
    time.advance(100);
    expect(await drained).toMatchObject({ failed: 1 });
    expect(await world.failed()).toMatchObject([{ exception: "TimeoutError" }]);
    await until(() => endpoint.abandoned > before);
  });

  test("is not waited for if its status says enough", async () => {
    for (const [status, expected] of [
      [429, { retried: 1 }],
      [422, { failed: 1 }],
    ] as const) {
      endpoint.answer = trickling(status);
      const before = performance.now();
      expect(await drain(20_000)).toMatchObject(expected);
      expect(performance.now() - before).toBeLessThan(5_000);
    }
    expect(await world.failed()).toMatchObject([{ error: expect.stringMatching(/answered HTTP 422: \.+$/) }]);
  });
});

test("headers of more than 16 KB are an answer that cannot be read", async () => {
  endpoint.answer = answering(
    200,
    "",
    Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`x-${i}`, "y".repeat(1_000)])),
  );
  expect(await drain()).toMatchObject({ retried: 1 });
});

test("a redirect to a metadata server is not followed, and fails", async () => {
  endpoint.answer = answering(307, "", { location: "http://169.254.169.254/latest/meta-data/" });
  expect(await drain()).toMatchObject({ failed: 1 });
  expect((await world.failed())[0]?.error).toMatch(/answered HTTP 307, a redirect, which is not followed$/);
});

test("a change of protocol is no answer, and nobody waits for one", async () => {
  endpoint.answer = answering(101, "", { connection: "upgrade", upgrade: "websocket" });
  expect(await drain()).toMatchObject({ retried: 1 });
});

test.each([
  ["no content", 204, {}],
  ["an empty body", 200, { "content-length": "0" }],
])("%s is done, whatever it says of its compression", async (_, status, headers) => {
  endpoint.answer = (response) => void response.writeHead(status, { "content-encoding": "gzip", ...headers }).end();
  expect(await drain()).toMatchObject({ succeeded: 1 });
});

test("hints before the answer are passed over", async () => {
  endpoint.answer = (response) => {
    response.writeEarlyHints({ link: "</a.css>; rel=preload" });
    response.writeProcessing();
    response.writeHead(200).end();
  };
  expect(await drain()).toMatchObject({ succeeded: 1 });
});

test("an answer before the request has been sent whole counts", async () => {
  // Answered from the head of the request alone.
  endpoint.answer = 413;
  await world.push("q", JSON.stringify({ class: "Send", args: ["x".repeat(3_000_000)] }));
  const perform = http(endpoint.url, { secret: SECRET });
  expect(await world.app({ jobs: [{ class: "Send", perform }] }).drain()).toMatchObject({ failed: 1 });
});

describe.each([
  ["node:http", () => createNodeSend(false)],
  ["fetch", () => createFetchSend()],
])("by %s", (_, createSend) => {
  const send = (signal = AbortSignal.timeout(10_000)) =>
    createSend()({ url: new URL(endpoint.url), body: "{}", headers: { "content-type": "application/json" }, signal });

  const readAll = async (body: AsyncIterable<Uint8Array>): Promise<string> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };

  test("a compressed answer is read, though nobody has asked for one", async () => {
    endpoint.answer = (response) =>
      void response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync('{"airlift":1}'));
    expect(await readAll((await send()).body)).toBe('{"airlift":1}');
  });

  test("a compressed bomb is unpacked no further than it is read", async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000));
    endpoint.answer = (response) => void response.writeHead(200, { "content-encoding": "gzip" }).end(bomb);
    const { body, close } = await send();
    let bytes = 0;
    // Of this thread alone: others compute beside it.
    const before = process.memoryUsage().arrayBuffers;
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > 1_000_000) break;
    }
    close();
    expect(bytes).toBeLessThan(10_000_000);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000_000);
  });

  test("a compressed answer that breaks off is an error", async () => {
    const packed = gzipSync(Buffer.from("word ".repeat(10_000)));
    endpoint.answer = (response) => {
      response.writeHead(200, { "content-encoding": "gzip", "content-length": String(packed.length) });
      response.write(packed.subarray(0, packed.length / 2), () => response.socket?.destroy());
    };
    const { body } = await send();
    await expect(readAll(body)).rejects.toThrow();
  });

  test("an answer that is closed by its reader ends", async () => {
    endpoint.answer = endless(200, "text/plain").answer;
    const before = endpoint.abandoned;
    const { close } = await send();
    close();
    expect(await until(() => endpoint.abandoned - before)).toBe(1);
  });

  test("an abort ends the wait for an answer, and the reading of one", async () => {
    const controller = new AbortController();
    endpoint.answer = () => undefined;
    const before = endpoint.abandoned;
    const waiting = send(controller.signal);
    const handled = expect(waiting).rejects.toThrow();
    await until(() => endpoint.requests.length > 0);
    controller.abort(new Error("over"));
    await handled;
    await until(() => endpoint.abandoned > before);

    const second = new AbortController();
    endpoint.answer = (response) => void response.writeHead(200).write("a");
    const { body } = await send(second.signal);
    second.abort(new Error("over"));
    await expect(readAll(body)).rejects.toThrow();
  });

  test("a redirect's status is told", async () => {
    endpoint.answer = answering(308, "", { location: "/there" });
    const { status, body } = await send();
    expect(status).toBe(308);
    await readAll(body);
    expect(endpoint.requests).toHaveLength(1);
  });
});
