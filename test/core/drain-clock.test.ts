import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { defineMiddleware } from "../../src/core/middleware.ts";
import { lambda } from "../../src/target/lambda.ts";
import { payloads } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { until } from "../support/until.ts";
import { startLambda } from "../target/lambda-endpoint.ts";
import { type AppWorld, openAppWorld } from "./app-world.ts";

const HOUR_MS = 3_600_000;
const now = Date.now;

// Of another process, whose own clock stays.
const [kind] = setups().filter(({ name }) => name === "redis-server-http");

describe.skipIf(!kind)("a drain whose host's clock is set", () => {
  let world: AppWorld;
  beforeAll(async () => {
    if (!kind) throw new Error("no redis-server");
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => {
    Date.now = now;
    vi.unstubAllEnvs();
  });

  const setClock = (aheadMs: number): void => {
    Date.now = () => now() + aheadMs;
  };
  const leaseEndMs = async (): Promise<number> => {
    const [reply] = await world.send(["ZRANGE", world.keys.drains, 0, -1, "WITHSCORES"]);
    return Number(String((reply as Uint8Array[])[1]));
  };

  test("back goes on renewing its lease, and settles what has ended", async () => {
    await world.push("q", ...payloads(3));
    const perform = async ([n]: readonly unknown[]) => {
      if (n !== 1) return;
      await sleep(20);
      const beforeMs = await leaseEndMs();
      setClock(-HOUR_MS);
      await until(async () => (await leaseEndMs()) >= beforeMs + 500, { timeoutMs: 20_000 });
    };
    const app = world.app({ jobs: [{ class: "Noop", perform }], leaseMs: 1_500, concurrency: 2 });
    const report = await app.drain();
    expect(report).toMatchObject({ stopped: "empty", succeeded: 3, lost: 0 });
    expect(report.durationMs).toBeGreaterThanOrEqual(0);
  });

  test("ahead takes no job for one that has run too long, and no time for over", async () => {
    await world.push("q", ...payloads(3));
    const perform = async ([n]: readonly unknown[]) => {
      if (n === 0) setClock(HOUR_MS);
      await sleep(20);
    };
    const app = world.app({ jobs: [{ class: "Noop", perform }], concurrency: 1 });
    expect(await app.drain({ deadlineMs: now() + 60_000 })).toMatchObject({
      stopped: "empty",
      succeeded: 3,
      failed: 0,
    });
  });

  test("waits for a function elsewhere as long as before", async () => {
    await using aws = await startLambda();
    vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIATEST");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
    aws.behave({ kind: "runs", handler: () => sleep(1_300) });
    const middleware = [
      defineMiddleware((_job, next) => {
        setClock(HOUR_MS);
        return next();
      }),
    ];
    await world.push("q", ...payloads(1));
    const perform = lambda("worker", { endpoint: aws.url, region: "eu-west-1" });
    const app = world.app({ jobs: [{ class: "Noop", middleware, perform }] });
    expect(await app.drain()).toMatchObject({ succeeded: 1, retried: 0 });
  });
});
