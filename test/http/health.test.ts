import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Airlift, createAirlift } from "../../src/airlift.ts";
import { createHttpApp, type HttpAppOptions } from "../../src/http/app.ts";
import { hasRedisServer } from "../support/redis.ts";
import { type OpenApp, openApp, problemOf } from "./open-app.ts";

let open: OpenApp;
beforeAll(async () => {
  open = await openApp();
});
afterAll(() => open[Symbol.asyncDispose]());
beforeEach(() => open.client.command(["FLUSHALL"]));

const KEY = "resque:airlift:last-drain";
const record = (endedMs: number) =>
  open.client.command(["SET", KEY, JSON.stringify({ endedMs, host: "airlift-x-1", stopped: "empty", claimed: 3 })]);

const app = (options: object, http: HttpAppOptions = {}): { airlift: Airlift; look: () => Promise<Response> } => {
  const airlift = createAirlift({ redis: open.client, queues: ["q"], jobs: [], ...options });
  const api = createHttpApp(airlift, { healthMaxAgeMs: 0, ...http });
  return { airlift, look: async () => await api.request("/health") };
};

describe("/health of an app whose drains are recorded", () => {
  test("tells when the last one ended, and no more of it", async () => {
    const { airlift, look } = app({ recordDrains: true });
    expect(await (await look()).json()).toEqual({ status: "ok" });
    await airlift.drain();
    const endedMs = (await airlift.lastDrain())?.endedMs;
    const response = await look();
    expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
    expect(await response.json()).toEqual({ status: "ok", lastDrain: { endedMs, stopped: "empty" } });
  });

  test("never fails for silence without a limit", async () => {
    await record(Date.now() - 1e9);
    expect((await app({ recordDrains: true }).look()).status).toBe(200);
  });

  test.each<[string, object, HttpAppOptions]>([
    ["the app that drains", { recordDrains: { maxSilenceMs: 90_000 } }, {}],
    ["an API beside it", {}, { maxSilenceMs: 90_000 }],
    ["an API that is stricter", { recordDrains: { maxSilenceMs: 900_000 } }, { maxSilenceMs: 90_000 }],
  ])("fails when it is too long ago: %s", async (_name, options, http) => {
    const { airlift, look } = app(options, http);
    await record(Date.now() - 80_000);
    expect((await look()).status).toBe(200);
    await record(Date.now() - 95_000);
    const problem = await problemOf(await look());
    expect(problem).toEqual({
      type: "urn:airlift:problem:silent",
      status: 503,
      title: "No drain has run for too long",
      detail: expect.stringMatching(/^The last one ended (9[5-9]|1\d\d) s ago; expected one every 90 s\.$/),
    });
    await createAirlift({ ...airlift.options, recordDrains: true }).drain();
    expect((await look()).status).toBe(200);
  });

  test("fails where one is expected and none is recorded", async () => {
    const { look } = app({ recordDrains: { maxSilenceMs: 60_000 } });
    expect(await problemOf(await look())).toMatchObject({
      status: 503,
      detail: "None has left word of its end; expected one every 60 s.",
    });
  });

  test("a clock that is ahead of ours is no silence", async () => {
    await record(Date.now() + 60_000);
    expect((await app({}, { maxSilenceMs: 1_000 }).look()).status).toBe(200);
  });

  test.skipIf(!hasRedisServer())("costs as much as one whose drains are not: 1 command", async () => {
    const stats = async () => String(await open.client.command(["INFO", "commandstats"]));
    await open.client.command(["CONFIG", "RESETSTAT"]);
    await app({ recordDrains: true }).look();
    expect(await stats()).toMatch(/cmdstat_get:calls=1,/);
    expect(await stats()).not.toContain("cmdstat_ping");
  });

  test("grows old between two looks at Redis, too", async () => {
    const { look } = app({}, { maxSilenceMs: 90_000, healthMaxAgeMs: 600_000 });
    await record(Date.now());
    expect((await look()).status).toBe(200);
    const now = Date.now;
    Date.now = () => now() + 90_001;
    try {
      expect((await look()).status).toBe(503);
    } finally {
      Date.now = now;
    }
  });
});

describe("the option maxSilenceMs", () => {
  test.each([0, -1, "60s", Number.NaN])("refuses %j", (maxSilenceMs) => {
    const http = { maxSilenceMs } as HttpAppOptions;
    expect(() => createHttpApp(open.airlift, http)).toThrow(
      "createHttpApp: maxSilenceMs must be milliseconds, more than 0",
    );
  });
});
