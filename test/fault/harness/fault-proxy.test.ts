import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { StoreError } from "../../../src/core/errors.ts";
import type { RunningGateway } from "../../../src/gateway/serve-gateway.ts";
import { upstash } from "../../../src/redis/upstash.ts";
import type { RedisClient } from "../../../src/resque/client.ts";
import { startGateway, TEST_TOKEN } from "../../support/gateway.ts";
import { startRedis, type TestRedis } from "../../support/redis.ts";
import { until } from "../../support/until.ts";
import { type FaultProxy, type FaultProxyOptions, type PassedRequest, startFaultProxy } from "./fault-proxy.ts";
import { REQUEST_FAULTS, type RequestFault } from "./request-faults.ts";

/** After which a client gives up what is not to be answered, and as the proxy takes it. */
const TIMEOUT_MS = 150;

let redis: TestRedis;
let gateway: RunningGateway;
/** Knows what Redis was really told. */
let direct: RedisClient;

beforeAll(async () => {
  redis = await startRedis();
  gateway = await startGateway(redis.url);
  direct = upstash({ url: gateway.url, token: TEST_TOKEN });
});
beforeEach(() => direct.command(["FLUSHALL"]));
afterAll(async () => {
  await direct.close();
  await gateway[Symbol.asyncDispose]();
  await redis.close();
});

interface Proxied extends AsyncDisposable {
  readonly proxy: FaultProxy;
  readonly passed: readonly PassedRequest[];
  /** One that waits for its answers, however busy the machine is. */
  client(name?: string, requestTimeoutMs?: number): RedisClient;
}

async function proxied(options: Partial<FaultProxyOptions> = {}): Promise<Proxied> {
  const passed: PassedRequest[] = [];
  const proxy = await startFaultProxy({
    ...{ target: gateway.url, seed: 1, clientTimeoutMs: TIMEOUT_MS, latestMs: 200 },
    ...{ watch: (request) => passed.push(request), ...options },
  });
  const clients: RedisClient[] = [];
  return {
    proxy,
    passed,
    client(name, requestTimeoutMs = 30_000) {
      const url = name === undefined ? proxy.url : proxy.urlFor(name);
      const client = upstash({ url, token: TEST_TOKEN, requestTimeoutMs });
      clients.push(client);
      return client;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()));
      await proxy.close();
    },
  };
}

/** How often Redis was told. */
const done = async (): Promise<number> => Number(await direct.command(["GET", "n"]));

async function errorOf(promise: Promise<unknown>): Promise<StoreError> {
  return promise.then(
    (value) => Promise.reject(new Error(`expected an error, got ${JSON.stringify(value)}`)),
    (error: StoreError) => error,
  );
}

test("without faults a request goes through and back, by the name of its client or by none", async () => {
  await using stage = await proxied();
  expect(await stage.client().command(["INCR", "n"])).toBe(1);
  expect(
    await stage.client("a.1").pipeline([
      ["INCR", "n"],
      ["GET", "n"],
    ]),
  ).toEqual([2, "2"]);
  expect(stage.passed.map(({ client, isDelivered, fault }) => [client, isDelivered, fault])).toEqual([
    ["", true, undefined],
    ["a.1", true, undefined],
  ]);
  expect(stage.proxy).toMatchObject({ requests: 2, injected: {} });
});

describe("a request", () => {
  const cases: readonly [fault: RequestFault, reason: string, text: RegExp, done: number][] = [
    ["drop-request", "unavailable", /ECONNRESET/, 0],
    ["drop-reply", "unavailable", /ECONNRESET/, 1],
    ["cut-reply", "unavailable", /ECONNRESET/, 1],
    ["stall-undone", "unavailable", /no answer within 150 ms/, 0],
    ["stall-done", "unavailable", /no answer within 150 ms/, 1],
    ["status-429", "throttled", /max requests limit exceeded/, 0],
    ["full", "full", /DB capacity quota exceeded/, 0],
    ["unauthorized", "unauthorized", /WRONGPASS/, 0],
  ];
  test.each(cases)("that meets %s fails as %s", async (fault, reason, text, times) => {
    await using stage = await proxied({ rates: { [fault]: 1 } });
    const client = stage.client(undefined, fault.startsWith("stall") ? TIMEOUT_MS : undefined);
    const error = await errorOf(client.command(["INCR", "n"]));
    expect(error).toMatchObject({ name: "StoreError", reason, message: expect.stringMatching(text) });
    await until(async () => stage.passed.length > 0 && (await done()) === times);
    expect(stage.passed.at(-1)).toMatchObject({ fault, isDelivered: false, isLate: false });
    expect(stage.proxy.injected).toEqual({ [fault]: 1 });
  });

  test("that meets a 429 is told when to come again", async () => {
    await using stage = await proxied({ rates: { "status-429": 1 } });
    expect(await errorOf(stage.client().command(["INCR", "n"]))).toMatchObject({ status: 429, retryAfterMs: 1_000 });
  });

  test.each(["status-500", "status-502"] as const)("that meets %s fails, done or not", async (fault) => {
    await using stage = await proxied({ rates: { [fault]: 1 } });
    const client = stage.client();
    const seen = new Set<number>();
    for (let n = 0; n < 20; n++) {
      const before = await done();
      const { reason, status } = await errorOf(client.command(["INCR", "n"]));
      expect({ reason, status }).toEqual({ reason: "unavailable", status: Number(fault.slice(-3)) });
      seen.add((await done()) - before);
    }
    expect([...seen].sort()).toEqual([0, 1]);
  });

  test("that is delayed is answered all the same", async () => {
    await using stage = await proxied({ rates: { delay: 1 } });
    const client = stage.client();
    for (let n = 1; n <= 5; n++) expect(await client.command(["INCR", "n"])).toBe(n);
    expect(stage.proxy.injected).toEqual({ delay: 5 });
  });

  test("that is repeated late is answered once and done twice, the second time among newer ones", async () => {
    // It is drawn to come 1.4 s later.
    await using stage = await proxied({ rates: { "repeat-late": 1 }, latestMs: 2_000 });
    const client = stage.client();
    await client.command(["INCR", "n"]);
    stage.proxy.setRates({});
    await client.command(["RPUSH", "newer", "1"]);
    await stage.proxy.calm();
    expect(await done()).toBe(2);
    const [first, late] = stage.passed.filter(({ body }) => body.includes("INCR"));
    expect(late).toMatchObject({ isLate: true, isDelivered: false, body: first?.body });
    expect(stage.passed.at(-1)).toBe(late);
  });

  test("that arrives late reaches Redis when its client has given it up", async () => {
    await using stage = await proxied({ rates: { "arrive-late": 1 } });
    const error = await errorOf(stage.client(undefined, TIMEOUT_MS).command(["INCR", "n"]));
    expect(error.message).toMatch(/no answer within/);
    expect(stage.passed).toMatchObject([{ isLate: false, isDelivered: false, reply: undefined }]);
    await stage.proxy.calm();
    expect(await done()).toBe(1);
    expect(stage.passed.map(({ isLate }) => isLate)).toEqual([false, true]);
  });

  test("that is a pipeline is refused command by command when the database is full", async () => {
    await using stage = await proxied({ rates: { full: 1 } });
    const pipeline = stage.client().pipeline([
      ["INCR", "n"],
      ["INCR", "n"],
    ]);
    expect(await errorOf(pipeline)).toMatchObject({ reason: "full" });
  });
});

test("an outage befalls everybody for its time, and nobody after it", async () => {
  await using stage = await proxied();
  const client = stage.client("a");
  const outage = stage.proxy.outage("unauthorized", 1_500);
  expect(await errorOf(client.command(["INCR", "n"]))).toMatchObject({ reason: "unauthorized" });
  await outage;
  expect(await client.command(["INCR", "n"])).toBe(1);
});

test("the fates of a client's requests are the same for the same seed, whatever other clients do", async () => {
  const fates = async (others: number, seed: number): Promise<unknown[]> => {
    await using stage = await proxied({ seed, rates: { "drop-request": 0.3, "status-502": 0.3 } });
    const other = stage.client("other");
    for (let n = 0; n < 15; n++) {
      await stage
        .client("one")
        .command(["PING"])
        .catch(() => undefined);
      for (let m = 0; m < others; m++) await other.command(["PING"]).catch(() => undefined);
    }
    return stage.passed.filter(({ client }) => client === "one").map(({ fault }) => fault);
  };
  const first = await fates(0, 7);
  expect(first).toHaveLength(15);
  expect(await fates(2, 7)).toEqual(first);
  expect(await fates(0, 8)).not.toEqual(first);
});

test("a client that has had no good answer for long is spared until it has one", async () => {
  await using stage = await proxied({ rates: { "drop-request": 1 }, maxCutOffMs: 1_200 });
  const client = stage.client("a");
  const firstMs = performance.now();
  let failures = 0;
  for (;;) {
    const error = await client.command(["INCR", "n"]).then(
      () => undefined,
      () => true,
    );
    if (!error) break;
    failures++;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(failures).toBeGreaterThan(0);
  expect(performance.now() - firstMs).toBeGreaterThan(1_000);
  // From then on it is hit again.
  expect(await errorOf(client.command(["INCR", "n"]))).toMatchObject({ reason: "unavailable" });
});

test("every kind of fault is among those tested here", () => {
  const tested = ["delay", "repeat-late", "arrive-late", "status-500", "status-502"];
  const inTable = ["drop-request", "drop-reply", "cut-reply", "stall-undone", "stall-done", "status-429", "full"];
  expect([...tested, ...inTable, "unauthorized"].sort()).toEqual([...REQUEST_FAULTS].sort());
});
