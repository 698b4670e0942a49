import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { root } from "../../../scripts/entries.ts";
import { type AppWorld, openAppWorld } from "../../core/app-world.ts";
import { setups } from "../../support/setups.ts";
import { until } from "../../support/until.ts";
import { type Gate, startGate } from "../gate.ts";
import { type HostProcess, startProcess } from "../host-process.ts";
import { type BuiltImage, buildImage } from "./docker-build.ts";
import { type InstalledApp, installApp } from "./installed-app.ts";

const job = (name: string, ...args: readonly unknown[]): string => JSON.stringify({ class: name, args });

let app: InstalledApp;
let image: BuiltImage;
let world: AppWorld;
let gate: Gate;

beforeAll(async () => {
  const [setup] = setups().filter(({ transport }) => transport === "http");
  if (!setup) throw new Error("no Redis over HTTP to test with");
  [app, world] = await Promise.all([installApp(), openAppWorld(setup)]);
  await writeFile(join(app.folder, ".env.production"), "UPSTASH_REDIS_REST_TOKEN=secret\n");
  const dockerfile = new URL("infra/container/Dockerfile", root);
  image = await buildImage({ dockerfile, context: app.folder, env: app.env });
}, 120_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await image[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
beforeEach(async () => {
  [gate] = await Promise.all([startGate(), world.flush()]);
});
afterEach(() => gate[Symbol.asyncDispose]());

/** A container's process, without the container. */
function start(...args: readonly string[]): HostProcess {
  const [entrypoint = "", ...command] = image.command;
  const { url, token = "" } = world.setup;
  return startProcess(entrypoint, args.length > 0 ? args : command, {
    cwd: image.folder,
    env: { PATH: app.env["PATH"], ...image.env, UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token },
  });
}

describe("the image", () => {
  test("holds the app and what it needs, neither secrets nor what is for development", async () => {
    expect((await readdir(image.folder)).sort()).toEqual([
      "jobs.ts",
      "node_modules",
      "package-lock.json",
      "package.json",
    ]);
    const packages = await readdir(join(image.folder, "node_modules"));
    expect(packages).toContain("airlift");
    expect(packages.filter((name) => ["vitest", "typescript", "esbuild", "node"].includes(name))).toEqual([]);
  });

  test("runs on Node 24, as a user without rights, and gets its signals itself", () => {
    expect(image).toMatchObject({ base: "node:24-slim", user: "node", stopSignal: "SIGTERM" });
    expect(image.command).toEqual(["node_modules/.bin/airlift", "work", "--app", "jobs.ts"]);
  });
});

describe("its process", () => {
  test("works jobs until it is told to stop, and ends well", async () => {
    await world.push("q", job("Note"), job("Note"));
    await using worker = start();
    await until(async () => (await world.get(world.keys.processed)) === "2", { timeoutMs: 30_000 });
    worker.signal("SIGTERM");
    expect(await worker.ended).toBe(0);
    expect(worker.output).toMatch(/2 jobs in .*: 2 succeeded/);
    await world.expectNoTraces();
  });

  test("docker stop lets a running job end", async () => {
    await world.push("q", job("Gate", gate.url));
    await using worker = start();
    await gate.reached(1);
    worker.signal("SIGTERM");
    await worker.sees(/SIGTERM: no more jobs are taken/);
    gate.open();
    expect(await worker.ended).toBe(0);
    expect(await world.get(world.keys.processed)).toBe("1");
    await world.expectNoTraces();
  });

  test("docker stop gives back what does not end, and counts no attempt", async () => {
    await world.push("q", job("Stuck", gate.url));
    gate.open();
    await using worker = start();
    await gate.reached(1);
    worker.signal("SIGTERM");
    expect(await worker.ended).toBe(0);
    expect(await world.queued("q")).toEqual([job("Stuck", gate.url)]);
    await world.expectNoTraces();
  });

  test("other commands than work can be given", async () => {
    await world.push("q", job("Note"));
    await using drain = start("drain", "--app", "jobs.ts", "--json");
    expect(await drain.ended).toBe(0);
    expect(JSON.parse(drain.output)).toMatchObject({ stopped: "empty", succeeded: 1 });
  });
});
