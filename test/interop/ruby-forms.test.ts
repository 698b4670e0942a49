import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAirlift } from "../../src/index.ts";
import { ioredis } from "../../src/redis/ioredis.ts";
import type { RedisClient } from "../../src/resque/client.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { until } from "../support/until.ts";
import { holdDrain } from "./held-drain.ts";

/** Everything in a Redis: key → type and value, a hash's and a sorted set's as object, a set's sorted. */
async function readAll(redis: Redis): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const key of (await redis.keys("*")).sort()) {
    expect(await redis.ttl(key), `${key} has a time to live`).toBe(-1);
    const type = await redis.type(key);
    if (type === "string") all[key] = await redis.get(key);
    else if (type === "list") all[key] = await redis.lrange(key, 0, -1);
    else if (type === "set") all[key] = new Set(await redis.smembers(key));
    else if (type === "hash") all[key] = await redis.hgetall(key);
    else all[key] = await redis.zrange(key, 0, -1);
  }
  return all;
}

/** As Ruby Resque reads a worker: `Worker.find`. */
function readWorker(id: string): { host: string; pid: number; queues: string[] } {
  // Ruby's split(':', 3) leaves the rest in the third part; JavaScript's would cut it off.
  const [host, pid, ...queues] = id.split(":");
  if (host === undefined || pid === undefined || queues.length === 0) throw new Error(`NoMethodError for ${id}`);
  return { host, pid: Number.parseInt(pid, 10), queues: queues.join(":").split(",") };
}

describe("what a drain writes for the Resque world", () => {
  let server: TestRedis;
  let redis: Redis;
  let client: RedisClient;

  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    client = ioredis(server.url);
  });
  beforeEach(() => redis.flushall());
  afterAll(async () => {
    redis.disconnect();
    await client.close();
    await server.close();
  });

  test("while a job runs: Ruby's keys in Ruby's forms, and one of its own", async () => {
    const payload = '{"class":"Hold","args":[1.0,[],{},12345678901234567890,"é\\u2028/"],"more":null}';
    await redis.rpush("resque:queue:mail", payload, payload);
    await using held = await holdDrain({ redis: client, queues: ["high=2", "mail"], platform: "test" }, 2);
    const all = await readAll(redis);
    const [description] = all["resque:airlift:drains"] as [string];
    const drain = JSON.parse(description) as { id: string; host: string; pid: number };
    const ids = [0, 1, 2].map((slot) => `${drain.host}:${process.pid}-${slot}:high,mail`);

    expect(description).toBe(
      `{"id":"${drain.id}","host":"airlift-test-${drain.id}","pid":${process.pid},"slots":3,"queues":"high,mail"}`,
    );
    expect(all["resque:workers"]).toEqual(new Set(ids));
    for (const id of ids) {
      expect(all[`resque:worker:${id}:started`]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000$/);
      const heartbeat = (all["resque:workers:heartbeat"] as Record<string, string>)[id] ?? "";
      expect(heartbeat).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/);
      expect(Math.abs(Date.parse(heartbeat) - Date.now())).toBeLessThan(10_000);
      expect(readWorker(id)).toEqual({ host: drain.host, pid: process.pid, queues: ["high", "mail"] });
    }
    expect(Object.keys(all["resque:workers:heartbeat"] as object).sort()).toEqual(ids);
    const entries = ids.map((id) => all[`resque:worker:${id}`]).filter((entry) => entry !== undefined);
    expect(entries).toHaveLength(2);
    for (const entry of entries) {
      const form = /^\{"claim":"([^"]+)","queue":"mail","run_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ","payload":(.*)\}$/s;
      const [, token, raw] = form.exec(entry as string) ?? [];
      expect(token).toContain(`${drain.id}.`);
      expect(raw).toBe(payload);
    }
    const known = [
      /^resque:worker:/,
      /^resque:workers(:heartbeat)?$/,
      /^resque:stat:processed$/,
      /^resque:airlift:drains$/,
    ];
    expect(Object.keys(all).filter((key) => !known.some((form) => form.test(key)))).toEqual([]);
    expect(all["resque:stat:processed"]).toBe("0");

    held.release();
    await held.report;
    expect(await readAll(redis)).toEqual({ "resque:stat:processed": "2" });
  });

  test("no two drains share a worker's host, so that Ruby prunes none as its own", async () => {
    for (const queue of ["a", "b"]) await redis.rpush(`resque:queue:${queue}`, '{"class":"Hold","args":[]}');
    const drains = await Promise.all(["a", "b"].map((queue) => holdDrain({ redis: client, queues: [queue] })));
    const hosts = new Set((await redis.smembers("resque:workers")).map((id) => readWorker(id).host));
    expect(hosts.size).toBe(2);
    for (const host of hosts) expect(host).toMatch(/^airlift-node-[0-9a-f]{12}$/);
    for (const drain of drains) drain.release();
    await Promise.all(drains.map(({ report }) => report));
  });

  test("a failure: Ruby's members in Ruby's order, the payload as it was", async () => {
    class PaymentDeclined extends Error {}
    const payload = '{"class":"Pay","queue":"mail","args":[1.0,{"k":[]},"\\u00e9"]}';
    await redis.rpush("resque:queue:mail", payload);
    const pay = {
      class: "Pay",
      perform: () => {
        throw new PaymentDeclined('no "money"\nleft');
      },
    };
    await createAirlift({ redis: client, queues: ["mail"], jobs: [pay] }).drain();
    const entry = (await redis.lindex("resque:failed", 0)) ?? "";
    const form =
      /^\{"failed_at":"(\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d UTC)","payload":(.*),"exception":"PaymentDeclined","error":"no \\"money\\"\\nleft","backtrace":\[".*"\],"worker":"airlift-node-[0-9a-f]+:\d+-\d+:mail","queue":"mail"\}$/s;
    const [, failedAt, raw] = form.exec(entry) ?? [];
    expect(raw).toBe(payload);
    // Ruby's DateTime.parse, and JavaScript's, take this form.
    expect(Math.abs(Date.parse(failedAt ?? "") - Date.now())).toBeLessThan(10_000);
    // What resque-web's list of failures touches.
    const job = JSON.parse(entry);
    expect(job["worker"].split(":").slice(0, 2).join(":")).toMatch(/^airlift-node-[0-9a-f]+:\d+-\d+$/);
    expect(job["payload"]["class"]).toBe("Pay");
    expect(job["backtrace"].join("\n")).toMatch(/^at .*ruby-forms\.test\.ts/);
    expect(await redis.mget("resque:stat:processed", "resque:stat:failed")).toEqual(["1", "1"]);
  });

  test.each([
    ["not JSON", "not json"],
    ["JSON of another kind", "[1,2]"],
    ["null", "null"],
    ["a class that is none", '{"class":1,"args":[]}'],
    ["args that are none", '{"class":"Pay","args":{"a":1}}'],
    ["more after its end", '{"class":"Pay","args":[]} x'],
    ["quotes and backslashes", '"\\"\\\\ é \u2028'],
  ])("a payload that is %s: a failure whose class and args resque-web can show", async (_name, payload) => {
    await redis.rpush("resque:queue:mail", payload);
    await createAirlift({ redis: client, queues: ["mail"], jobs: [] }).drain();
    const job = JSON.parse((await redis.lindex("resque:failed", 0)) ?? "");
    expect(job["payload"]).toEqual({ class: "MalformedPayload", args: [payload] });
    expect(job["exception"]).toBe("MalformedPayload");
  });

  test("the counters of a worker, once it has beaten", async () => {
    await redis.rpush("resque:queue:mail", '{"class":"Fast","args":[]}', '{"class":"Hold","args":[]}');
    const fast = { class: "Fast", perform: () => undefined };
    await using held = await holdDrain({ redis: client, queues: ["mail"], jobs: [fast], leaseMs: 1_000 });
    // A third of the lease later.
    const key = await until(async () => (await redis.keys("resque:stat:processed:*"))[0]);
    const id = key.slice("resque:stat:processed:".length);
    expect(await redis.sismember("resque:workers", id)).toBe(1);
    expect(await redis.mget(key, `resque:stat:failed:${id}`)).toEqual(["1", "0"]);
    held.release();
    await held.report;
    expect(await redis.keys("resque:stat:*")).toEqual(["resque:stat:processed"]);
  });
});
