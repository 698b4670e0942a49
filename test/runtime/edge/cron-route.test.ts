import { readFile } from "node:fs/promises";
import { EdgeRuntime, runServer } from "edge-runtime";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type AppWorld, openAppWorld } from "../../core/app-world.ts";
import { setups } from "../../support/setups.ts";
import { bundleFunction } from "../bundle-function.ts";
import { startGate } from "../gate.ts";

const SECRET = "edge-secret-0123456789";
const CRON = { headers: { authorization: `Bearer ${SECRET}` } };
const job = (name: string, ...args: readonly unknown[]): string => JSON.stringify({ class: name, args });

let world: AppWorld;
let server: Awaited<ReturnType<typeof runServer>>;
let env: Record<string, string>;
const logged: string[] = [];
const log = (message: string): void => void logged.push(message);
/** What the runtime was told to wait for. */
const works: Promise<unknown>[] = [];

beforeAll(async () => {
  const [setup] = setups().filter(({ transport }) => transport === "http");
  if (!setup) throw new Error("no Redis over HTTP to test with");
  world = await openAppWorld(setup);
  // As Vercel's tools bundle a function for the edge: without anything of Node, its environment aside.
  await using bundled = await bundleFunction("functions/vercel/cron.ts", {
    platform: "browser",
    conditions: ["edge-light", "worker"],
    format: "iife",
    globalName: "route",
    footer: { js: 'addEventListener("fetch", (event) => event.respondWith(route.GET(event.request)));' },
  });
  const { url, token = "" } = world.setup;
  env = { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token, CRON_SECRET: SECRET };
  const runtime = new EdgeRuntime({
    initialCode: await readFile(bundled.file, "utf8"),
    extend: (context) =>
      Object.assign(context, {
        process: { env },
        console: { warn: log, error: log },
        [Symbol.for("@vercel/request-context")]: {
          get: () => ({ waitUntil: (work: Promise<unknown>) => works.push(work) }),
        },
      }),
  });
  server = await runServer({ runtime, port: 0, host: "127.0.0.1" });
});
afterAll(async () => {
  await server.close();
  await world[Symbol.asyncDispose]();
});
beforeEach(async () => {
  works.length = 0;
  logged.length = 0;
  await world.flush();
});

const call = (init: RequestInit = CRON) => fetch(new URL("/api/cron", server.url), init);

test("the cron route drains a Redis over HTTP at the edge", async () => {
  await world.push("q", job("Note"), job("Broken"));
  const response = await call();
  expect([response.status, await response.json()]).toMatchObject([200, { stopped: "empty", succeeded: 1, failed: 1 }]);
  expect(await world.failed()).toMatchObject([{ exception: "RangeError", error: "out of reach" }]);
  await world.expectNoTraces();
});

test("it is closed to a wrong secret, and to everybody while none is set", async () => {
  await world.push("q", job("Note"));
  expect((await call({ headers: { authorization: "Bearer wrong" } })).status).toBe(401);
  delete env["CRON_SECRET"];
  try {
    for (const authorization of ["Bearer ", "Bearer undefined", `Bearer ${SECRET}`]) {
      expect((await call({ headers: { authorization } })).status).toBe(503);
    }
  } finally {
    env["CRON_SECRET"] = SECRET;
  }
  expect(logged.at(-1)).toBe("toCronRoute: nobody can drain: no secret is set; set CRON_SECRET");
  expect(await world.queued("q")).toHaveLength(1);
});

test("it answers at once whoever does not want to wait, and the runtime waits for the drain", async () => {
  await using gate = await startGate();
  await world.push("q", job("Gate", gate.url));
  expect((await call({ headers: { ...CRON.headers, prefer: "respond-async" } })).status).toBe(202);
  await gate.reached(1);
  gate.open();
  await Promise.all(works);
  expect(works).toHaveLength(1);
  expect(await world.get(world.keys.processed)).toBe("1");
});
