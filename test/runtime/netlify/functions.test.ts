import { execFile } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { BACKGROUND_MS, SCHEDULED_MS } from "../../../functions/netlify/limits.ts";
import { root } from "../../../scripts/entries.ts";
import { type AppWorld, openAppWorld } from "../../core/app-world.ts";
import { setups } from "../../support/setups.ts";
import { until } from "../../support/until.ts";
import { bundleFunction } from "../bundle-function.ts";
import { startGate } from "../gate.ts";

/** What Netlify limits, by its documentation. */
const LIMITS_MS = { scheduled: 30_000, background: 15 * 60_000 };
const SECRET = "netlify-secret-0123456789";
const job = (name: string, ...args: readonly unknown[]): string => JSON.stringify({ class: name, args });

/** A function as Netlify finds it: the default export answers, `config` says what calls it. */
interface NetlifyFunction {
  readonly default: (request: Request, context: object) => Promise<Response | undefined>;
  readonly config?: { readonly schedule?: string; readonly path?: string };
}

let outdir: string;
let world: AppWorld;
/** The site's address, and what is served there; what its functions were called with. */
let site: string;
let server: ReturnType<typeof serve>;
let served: Hono["fetch"] | undefined;
const background: { readonly status: Promise<number | undefined>; readonly url: URL }[] = [];

const load = async (file: string): Promise<NetlifyFunction> => await import(pathToFileURL(file).href);
const loadBuilt = (name: string) => load(join(outdir, "netlify/functions", `${name}.js`));
const request = (path: string, init: RequestInit = {}) => new Request(`${site}${path}`, init);

beforeAll(async () => {
  const [setup] = setups().filter(({ transport }) => transport === "http");
  if (!setup) throw new Error("no Redis over HTTP to test with");
  [outdir, world] = await Promise.all([mkdtemp(join(tmpdir(), "airlift-netlify-")), openAppWorld(setup)]);
  const args = ["scripts/build-functions.ts", "netlify", "--outdir", outdir];
  await promisify(execFile)(process.execPath, args, { cwd: fileURLToPath(root) });
  const answer = (request: Request) => served?.(request) ?? new Response(null, { status: 404 });
  server = serve({ fetch: answer, port: 0, hostname: "127.0.0.1" });
  await once(server, "listening");
  site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { url, token = "" } = world.setup;
  const env = {
    URL: site,
    CRON_SECRET: SECRET,
    ENQUEUE_TOKEN: "e",
    UPSTASH_REDIS_REST_URL: url,
    UPSTASH_REDIS_REST_TOKEN: token,
  };
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  server.close();
  await world[Symbol.asyncDispose]();
  await rm(outdir, { recursive: true, force: true });
});
beforeEach(async () => {
  background.length = 0;
  await world.flush();
});

/** The site: a background function is answered for at once, and goes on. */
async function openSite() {
  const [api, drain] = await Promise.all([loadBuilt("api"), loadBuilt("drain-background")]);
  const hono = new Hono();
  hono.post("/.netlify/functions/drain-background", (c) => {
    const status = drain.default(c.req.raw.clone(), {}).then((response) => response?.status);
    background.push({ status, url: new URL(c.req.url) });
    return c.body(null, 202);
  });
  hono.all("*", async (c) => (await api.default(c.req.raw, {})) ?? c.notFound());
  served = hono.fetch;
  const close = async (): Promise<void> => {
    await Promise.all(background.map(({ status }) => status));
    served = undefined;
  };
  return { [Symbol.asyncDispose]: close };
}

describe("what is deployed", () => {
  test("a function for the schedule, one in the background, by its name, and the API on all paths", async () => {
    const files = readdirSync(join(outdir, "netlify/functions")).filter((file) => file.endsWith(".js"));
    expect(files.sort()).toEqual(["api.js", "drain-background.js", "drain.js"]);
    expect((await loadBuilt("drain")).config).toEqual({ schedule: "* * * * *" });
    expect((await loadBuilt("drain-background")).config).toBeUndefined();
    expect((await loadBuilt("api")).config).toEqual({ path: "/*" });
  });

  test("netlify.toml beside the folder that it names, and a folder to publish that holds none of it", () => {
    const toml = readFileSync(join(outdir, "netlify/netlify.toml"), "utf8");
    expect(toml).toMatch(/^ {2}directory = "functions"$/m);
    expect(toml).toMatch(/^ {2}command = "mkdir -p public"\n {2}publish = "public"$/m);
  });

  test("time limits that are Netlify's, with something left for a cold start", () => {
    for (const [ours, theirs] of [
      [SCHEDULED_MS, LIMITS_MS.scheduled],
      [BACKGROUND_MS, LIMITS_MS.background],
    ] as const) {
      expect(theirs - ours).toBeGreaterThanOrEqual(1_000);
      expect(theirs - ours).toBeLessThanOrEqual(2_000);
    }
  });
});

describe("the functions", () => {
  test("the schedule's drains a Redis over HTTP, without a secret", async () => {
    await using gate = await startGate();
    gate.open();
    await world.push("webhooks", job("CallWebhook", gate.url, { hello: 1 }));
    const drain = await loadBuilt("drain");
    const tick = request("/", { method: "POST", body: JSON.stringify({ next_run: "2026-11-21T12:00:00.000Z" }) });
    expect(await drain.default(tick, {})).toBeUndefined();
    expect(gate.told).toEqual(['{"hello":1}']);
    expect(await world.get(world.keys.processed)).toBe("1");
    await world.expectNoTraces();
  });

  test.each([
    ["drain", LIMITS_MS.scheduled],
    ["drain-background", LIMITS_MS.background],
  ])("%s leaves its jobs less time than Netlify leaves it", async (name, limitMs) => {
    await using gate = await startGate();
    gate.open();
    await using bundled = await bundleFunction(`functions/netlify/${name}.ts`);
    await world.push("q", job("Gate", gate.url));
    const headers = { authorization: `Bearer ${SECRET}` };
    await (await load(bundled.file)).default(request("/", { method: "POST", headers }), {});
    const marginMs = 2_000;
    const mostMs = Math.min(60_000, limitMs - 1_000 - marginMs);
    // A drain's clock is rounded where the host's is cut off.
    expect(Number(gate.told[0])).toBeLessThanOrEqual(mostMs + 1);
    expect(Number(gate.told[0])).toBeGreaterThan(mostMs - 15_000);
  });

  test("the background's is closed to a wrong secret and to none", async () => {
    await world.push("webhooks", job("CallWebhook", "http://127.0.0.1:1/"));
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    const drain = await loadBuilt("drain-background");
    const statuses = [];
    for (const authorization of ["", "Bearer wrong"]) {
      statuses.push((await drain.default(request("/", { method: "POST", headers: { authorization } }), {}))?.status);
    }
    expect(statuses).toEqual([401, 401]);
    // Netlify has answered the caller with 202 by then.
    expect(warn).toHaveBeenCalledWith("toFetchHandler: a request without the secret was refused");
    expect(await world.queued("webhooks")).toHaveLength(1);
    warn.mockRestore();
  });

  test("what is enqueued over HTTP is run by the background's function at once", async () => {
    await using gate = await startGate();
    gate.open();
    await using _site = await openSite();
    const headers = { authorization: "Bearer e", "content-type": "application/json" };
    const body = job("CallWebhook", gate.url);
    const response = await fetch(request("/queues/webhooks/jobs", { method: "POST", headers, body }));
    expect(response.status).toBe(201);
    await until(async () => (await world.get(world.keys.processed)) === "1");
    expect(background.map(({ url }) => url.search)).toEqual(["?reason=kick&depth=0"]);
    expect(await background[0]?.status).toBe(200);
  });
});
