import { afterAll, beforeAll, expect, test } from "vitest";
import { type AppWorld, openAppWorld } from "../../core/app-world.ts";
import { setups } from "../../support/setups.ts";
import { type BundledFunction, bundleFunction } from "../bundle-function.ts";
import { startGate } from "../gate.ts";
import { startProcess } from "../host-process.ts";

let bundled: BundledFunction;
let world: AppWorld;
beforeAll(async () => {
  const [setup] = setups().filter(({ transport }) => transport === "http");
  if (!setup) throw new Error("no Redis over HTTP to test with");
  const file = "test/runtime/node/ticking-app.mjs";
  [bundled, world] = await Promise.all([bundleFunction(file), openAppWorld(setup)]);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await bundled[Symbol.asyncDispose]();
});

test("TERM lets the job of a tick's drain end, before the process does", async () => {
  await using gate = await startGate();
  await world.push("q", JSON.stringify({ class: "Gate", args: [gate.url] }));
  const { url, token = "" } = world.setup;
  await using host = startProcess(process.execPath, [bundled.file], {
    env: { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token },
  });
  await gate.reached(1);
  host.signal("SIGTERM");
  // Whoever ends at once is gone by then.
  setTimeout(() => gate.open(), 300);
  expect(await host.ended).toBe(0);
  expect(await world.get(world.keys.processed)).toBe("1");
  await world.expectNoTraces();
});
