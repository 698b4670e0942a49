import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RedisClient } from "../../src/resque/client.ts";
import { payload, payloads } from "../conformance/world.ts";
import { hasRedisServer } from "../support/redis.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, openAppWorld } from "./app-world.ts";

const MB = 1_000_000;
const noop = { class: "Noop", perform: () => undefined };
const unknown = (n: number): string => `{"class":"RubyOnly","args":[${n}]}`;

describe.each(setups())("payloads over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  test("that are no jobs end in failed, readable, and the next job runs", async () => {
    const garbage = "x".repeat(MB);
    const broken = [
      "not json",
      "null",
      "[]",
      '{"class":1}',
      '{"class":"A","args":{}}',
      '{"class":"A"} trailing',
      garbage,
    ];
    await world.push("q", ...broken.flatMap((raw, n) => [raw, payload(n)]));
    const ran: unknown[] = [];
    const app = world.app({ jobs: [{ class: "Noop", perform: ([n]: readonly unknown[]) => ran.push(n) }] });
    expect(await app.drain()).toMatchObject({ stopped: "empty", succeeded: 7, failed: 7 });
    expect(ran).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const entries = await world.failed();
    expect(entries.map((entry) => entry.payload)).toEqual(
      broken.map((raw) => ({ class: "MalformedPayload", args: [raw] })),
    );
    for (const { exception, error } of entries) {
      expect(exception).toBe("MalformedPayload");
      expect(error).toMatch(/^the payload is not a Resque job: /);
      expect(error.length).toBeLessThan(5_000);
    }
  });

  test("that are no UTF-8 end in failed without losing a byte, a genuine U+FFFD runs", async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"class":"Noop","args":["'),
      Buffer.of(0xff, 0xc3, 0x28),
      Buffer.from('é"]}'),
    ]);
    await world.push("q", bytes, payload("\uFFFD"), Buffer.of(0x80));
    const ran: unknown[] = [];
    const app = world.app({ jobs: [{ class: "Noop", perform: ([text]: readonly unknown[]) => ran.push(text) }] });
    expect(await app.drain()).toMatchObject({ stopped: "empty", succeeded: 1, failed: 2 });
    expect(ran).toEqual(["\uFFFD"]);
    const kept = (await world.failed()).map((entry) => Buffer.from(entry.payload.args[0] as string, "latin1"));
    expect(kept).toEqual([bytes, Buffer.of(0x80)]);
  });

  test("survive a failure byte for byte", async () => {
    const raw =
      '{ "2":0,"args":[1.0,12345678901234567890,[],{},"<&>\\u2028\u2028é"],"queue":"x","class":"Boom","1":-0.0 }';
    await world.push("q", raw);
    await world.app({ jobs: [{ class: "Boom", perform: () => Promise.reject(new Error("boom")) }] }).drain();
    const [entry] = (await world.everything())[world.keys.failed] as string[];
    expect(entry).toContain(`"payload":${raw},"exception":"Error"`);
  });

  // The embedded Redis takes seconds for it, so it does it only where there is no other.
  const isSlow = kind.server === "embedded" && hasRedisServer();
  test.skipIf(isSlow)("of 1 MB each, 25 at a time, come in replies of 5 MB at most", async () => {
    const text = "é".repeat(MB / 2);
    await world.push("q", ...Array.from({ length: 25 }, (_, n) => payload(n, text)));
    let largest = 0;
    const client: RedisClient = {
      ...{ description: "", close: async () => undefined },
      command: (command, options) => world.client.command(command, options),
      pipeline: (items, options) => world.client.pipeline(items, options),
      transaction: (commands, options) => world.client.transaction(commands, options),
      async script(call, options) {
        const reply = await world.client.script(call, options);
        largest = Math.max(largest, Buffer.byteLength(JSON.stringify(reply)));
        return reply;
      },
    };
    const ran: unknown[] = [];
    const app = world.app({
      redis: client,
      jobs: [{ class: "Noop", perform: ([n]: readonly unknown[]) => ran.push(n) }],
    });
    expect(await app.drain()).toMatchObject({ stopped: "empty", succeeded: 25, failed: 0 });
    expect(ran).toEqual(Array.from({ length: 25 }, (_, n) => n));
    expect(largest).toBeLessThan(5 * MB);
    expect(largest).toBeGreaterThan(3 * MB);
  });
});

describe.each(setups())("classes that the app does not know over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  test("fail by default, and say what is known", async () => {
    await world.push("q", unknown(1), payload(1));
    expect(await world.app({ jobs: [noop] }).drain()).toMatchObject({ stopped: "empty", succeeded: 1, failed: 1 });
    expect(await world.failed()).toMatchObject([
      {
        payload: { class: "RubyOnly", args: [1] },
        exception: "UnknownJobClass",
        error: expect.stringMatching(/"RubyOnly".*Noop/),
      },
    ]);
  });

  test("left in the queue are never taken", async () => {
    const claimed: unknown[] = [];
    await world.push("q", unknown(1), payload(1), unknown(2), payload(2), unknown(3));
    const app = world.app({
      jobs: [noop],
      unknownClass: "leave",
      onEvent: (event) => event.kind === "job-claimed" && claimed.push(event.class),
    });
    expect(await app.drain()).toMatchObject({ succeeded: 2, failed: 0, released: 0 });
    expect(claimed).toEqual(["Noop", "Noop"]);
    expect(await world.queued("q")).toEqual([unknown(1), unknown(2), unknown(3)]);
  });

  test("left in the queue do not hide what comes behind hundreds of them", async () => {
    await world.push("q", ...Array.from({ length: 300 }, (_, n) => unknown(n)), payload(1));
    const app = world.app({ jobs: [noop], unknownClass: "leave", concurrency: 5 });
    expect(await app.drain()).toMatchObject({ succeeded: 1 });
    expect(await world.queued("q")).toHaveLength(300);
  });

  test("requeued go to the tail, each at most twice in one drain, which ends", async () => {
    await world.push("q", ...Array.from({ length: 20 }, (_, n) => [unknown(n), payload(n)]).flat());
    const rounds = new Map<string | undefined, number>();
    const app = world.app({ jobs: [noop], unknownClass: "requeue", concurrency: 4 });
    const report = await app.drain({
      onEvent: (event) => event.kind === "job-claimed" && rounds.set(event.class, (rounds.get(event.class) ?? 0) + 1),
    });
    expect(report).toMatchObject({ succeeded: 20, failed: 0 });
    expect(rounds.get("Noop")).toBe(20);
    expect(rounds.get("RubyOnly")).toBeGreaterThanOrEqual(20);
    expect(rounds.get("RubyOnly")).toBeLessThanOrEqual(40);
    expect((await world.queued("q")).toSorted()).toEqual(Array.from({ length: 20 }, (_, n) => unknown(n)).toSorted());
  });

  test.each(["leave", "requeue"] as const)(
    "are among the jobs that the report says are left (%s)",
    async (unknownClass) => {
      await world.push("q", unknown(1), payload(1), unknown(2));
      const report = await world.app({ jobs: [noop], unknownClass }).drain();
      expect(report).toMatchObject({ succeeded: 1, remaining: 2 });
    },
  );
});

describe.each(setups())("queues over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  afterEach(() => world.expectNoTraces());

  test("in strict order are served one after the other", async () => {
    await world.push("low", ...payloads(3, 6));
    await world.push("high", ...payloads(3));
    await world.push("mid", ...payloads(3, 3));
    const ran: unknown[] = [];
    const jobs = [{ class: "Noop", perform: ([n]: readonly unknown[]) => ran.push(n) }];
    await world.app({ jobs, queues: ["high", "mid", "low"], concurrency: 2 }).drain();
    expect(ran).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("with weights are all drained", async () => {
    for (const queue of ["a", "b", "c"]) await world.push(queue, ...payloads(30));
    const app = world.app({ jobs: [noop], queues: ["a=5", "b=2", "c"], concurrency: 4 });
    expect(await app.drain()).toMatchObject({ stopped: "empty", succeeded: 90, remaining: 0 });
  });

  test("that a running job fills are drained before the drain ends", async () => {
    await world.push("q", payload(5));
    const app = world.app({
      jobs: [
        {
          class: "Noop",
          perform: async ([n]: readonly unknown[]) => {
            if ((n as number) > 0) await app.enqueue({ queue: "q", class: "Noop", args: [(n as number) - 1] });
          },
        },
      ],
    });
    expect(await app.drain()).toMatchObject({ stopped: "empty", succeeded: 6, remaining: 0 });
  });

  test("of a pattern are found, those too that a running job creates", async () => {
    await world.push("img-a", payload("img-b"));
    await world.push("other", payload("no"));
    await world.push("img-slow", payload("no"));
    const ran: unknown[] = [];
    const app = world.app({
      queues: ["img-*", "!img-slow"],
      jobs: [
        {
          class: "Noop",
          perform: async ([next]: readonly unknown[], { queue }: { queue: string }) => {
            ran.push(queue);
            if (next !== "end")
              await app.enqueue({ queue: next as string, class: "Noop", args: [next === "img-b" ? "img-c" : "end"] });
          },
        },
      ],
    });
    expect(await app.drain()).toMatchObject({ stopped: "empty", succeeded: 3, remaining: 0 });
    expect(ran).toEqual(["img-a", "img-b", "img-c"]);
    expect(await world.queued("other")).toHaveLength(1);
    expect(await world.queued("img-slow")).toHaveLength(1);
  });

  test("of the pattern * are none in an empty Redis", async () => {
    const app = world.app({ jobs: [noop], queues: ["*"] });
    expect(await app.drain()).toMatchObject({ stopped: "empty", claimed: 0 });
    expect(await world.keyNames()).toEqual([]);
  });
});
