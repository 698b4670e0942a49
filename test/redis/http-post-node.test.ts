import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createNodePoster } from "../../src/redis/http-post-node.ts";
import { until } from "../support/until.ts";

const cleanUps: (() => unknown)[] = [];
/** A frozen process' clock goes on, and none of its timers runs. */
let nowMs = 0;
beforeEach(() => void vi.spyOn(performance, "now").mockImplementation(() => nowMs));
afterEach(async () => {
  vi.restoreAllMocks();
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A server that holds what is sent to `/held`, and has closed connections of which the other side does not know yet. */
async function start() {
  const sockets = new Set<Socket>();
  const closed = new Set<Socket>();
  const held: (() => void)[] = [];
  const server = createServer(async ({ socket, url }, response) => {
    sockets.add(socket);
    if (closed.has(socket)) response.destroy();
    else if (url === "/held") held.push(() => response.end("late"));
    else response.end("at once");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUps.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  const { port } = server.address() as AddressInfo;
  const poster = createNodePoster({ url: `http://127.0.0.1:${port}`, headers: {}, timeoutMs: 30_000 });
  cleanUps.push(poster.close);
  const hold = async (count: number) => {
    const answers = Array.from({ length: count }, () => poster.post("/held", ""));
    void Promise.allSettled(answers); // Of a test that has failed nobody takes them.
    await until(() => held.length === count);
    const release = () => {
      for (const end of held.splice(0)) end();
      return Promise.all(answers);
    };
    return { release };
  };
  const closeAll = () => {
    for (const socket of sockets) closed.add(socket);
  };
  return { poster, sockets, hold, closeAll };
}

test("a connection is used again", async () => {
  const { poster, sockets } = await start();
  for (let n = 0; n < 3; n++) expect(await poster.post("/", "")).toMatchObject({ status: 200, text: "at once" });
  expect(sockets.size).toBe(1);
});

test.each([0, 1])(
  "one that was closed while the process was frozen is not, with %i others at work",
  async (working) => {
    const { poster, hold, closeAll } = await start();
    await (await hold(3)).release();
    const { release } = await hold(working);
    closeAll();
    await expect(poster.post("/", "")).rejects.toMatchObject({ code: "ECONNRESET" });
    nowMs += 4_001;
    expect(await poster.post("/", "")).toMatchObject({ text: "at once" });
    expect(await release()).toHaveLength(working);
  },
);

test("what is at work when the process thaws is not cut off", async () => {
  const { poster, sockets, hold } = await start();
  const { release } = await hold(2);
  nowMs += 60_000;
  expect(await poster.post("/", "")).toMatchObject({ text: "at once" });
  expect(await release()).toMatchObject([{ text: "late" }, { text: "late" }]);
  expect(sockets.size).toBe(3);
});
