import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { discard, release, retry } from "../../src/core/directive.ts";
import { StoreError, UsageError } from "../../src/core/errors.ts";
import type { AnyJobDefinition } from "../../src/core/registry.ts";
import { createJobFunction, type JobFunction } from "../../src/job-function/job-function.ts";
import { toJobWorker, type WorkerMessage } from "../../src/platform/cloudflare.ts";
import { type QueueBinding, type QueueOptions, queue } from "../../src/target/cloudflare.ts";
import { payloads } from "../conformance/world.ts";
import { type AppWorld, fatedClient, openAppWorld } from "../core/app-world.ts";
import { setups } from "../support/setups.ts";

let world: AppWorld;
beforeAll(async () => {
  world = await openAppWorld(setups()[0] as never);
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.flush());

const RAW = '{"class":"Noop","args":[1,"é",12345678901234567890]}';

/** A Queue that keeps what it is sent, or refuses it. */
function createQueue(refuse?: () => unknown): QueueBinding & { readonly sent: string[]; readonly calls: number } {
  const sent: string[] = [];
  let calls = 0;
  const take = async (bodies: readonly unknown[]): Promise<unknown> => {
    calls++;
    const error = refuse?.();
    if (error !== undefined) throw error;
    sent.push(...(bodies as string[]));
    return {};
  };
  return {
    sent,
    get calls() {
      return calls;
    },
    send: (body) => take([body]),
    sendBatch: (messages) => take([...messages].map(({ body }) => body)),
  };
}

async function drain(binding: QueueBinding, options: QueueOptions = {}, definition: Partial<AnyJobDefinition> = {}) {
  const perform = queue(() => binding, options);
  return world.app({ jobs: [{ class: "Noop", perform, ...definition }], concurrency: 4 }).drain();
}

const waiting = async (): Promise<[Record<string, unknown>, number][]> => {
  const found = (await world.everything())[world.keys.retries] ?? {};
  return Object.entries(found).map(([entry, dueMs]) => [JSON.parse(entry), Number(dueMs)]);
};

/** Delivers messages as a Queue does, and tells how each delivery ended. */
async function deliver(jobFunction: JobFunction, bodies: readonly unknown[]): Promise<string[]> {
  const ends: string[] = [];
  const messages = bodies.map((body, index): WorkerMessage => {
    const end = (text: string): void => {
      ends[index] = text;
    };
    return {
      id: String(index),
      body,
      ack: () => end("ack"),
      retry: ({ delaySeconds } = {}) => end(delaySeconds === undefined ? "retry" : `retry in ${delaySeconds} s`),
    };
  });
  const context = { waitUntil: () => undefined };
  await toJobWorker<object>(jobFunction).queue({ queue: "reports", messages }, {}, context);
  return ends;
}

const receiver = (perform: AnyJobDefinition["perform"] = () => undefined, options: object = {}): JobFunction =>
  createJobFunction({ jobs: [{ class: "Noop", perform, ...options }], redis: world.client, logger: silent });
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

describe("a Queue: what it does, and what becomes of the job", () => {
  test("it takes the job: that waits to be acknowledged, and no drain waits for it", async () => {
    await world.push("q", RAW);
    const reports = createQueue();
    const before = Date.now();
    const report = await drain(reports, { leaseMs: 60_000 }, { timeoutMs: 600_000 });
    expect(report).toMatchObject({ stopped: "empty", detached: 1, succeeded: 0, failed: 0 });
    const [[entry, dueMs] = []] = await waiting();
    expect(entry).toMatchObject({ queue: "q", payload: { args: [1, "é", expect.anything()] } });
    expect((dueMs ?? 0) - before).toBeGreaterThanOrEqual(60_000);
    const [message] = reports.sent;
    expect(message).toContain('"args":[1,"é",12345678901234567890]');
    const job = { queue: "q", class: "Noop", payload: RAW, attempt: 1, retries: 0 };
    expect(JSON.parse(message ?? "")).toMatchObject({ airlift: 1, job, ack: expect.any(Object) });
    expect(JSON.parse(message ?? "").deadlineMs).toBeLessThanOrEqual(Date.now() + 60_000);
  });

  test.each([
    ["is asked too often", "Queue send failed: Too Many Requests"],
    ["is full", "Storage Limit Exceeded"],
    ["may not be asked any more", "Too many subrequests by single Worker invocation."],
  ])("it %s: the job waits, no attempt counted", async (_, message) => {
    await world.push("q", RAW);
    expect(await drain(createQueue(() => new Error(message)))).toMatchObject({ released: 1, retried: 0, failed: 0 });
    expect(await waiting()).toMatchObject([[{ attempt: 1, payload: expect.anything() }, expect.any(Number)]]);
  });

  test("it fails otherwise: the job may have arrived, so that is an attempt", async () => {
    await world.push("q", RAW);
    const report = await drain(createQueue(() => new Error("Unknown Internal Error (15000)")));
    expect(report).toMatchObject({ released: 0, retried: 1, failed: 0 });
    expect(await waiting()).toMatchObject([
      [{ attempt: 2, error: "the Queue: Unknown Internal Error (15000)" }, expect.any(Number)],
    ]);
  });

  test("it could not carry the job: that fails before anything is sent, whatever its retries", async () => {
    await world.push("q", JSON.stringify({ class: "Noop", args: ["x".repeat(65_000)] }));
    const reports = createQueue();
    expect(await drain(reports, {}, { retry: { limit: 5 } })).toMatchObject({ failed: 1, retried: 0, detached: 0 });
    expect(reports.calls).toBe(0);
    const error = expect.stringMatching(/^the message for the Queue has 13\d{4} bytes; it takes 127900/);
    expect(await world.failed()).toMatchObject([{ exception: "QueueMessageError", error }]);
  });

  test("it has no binding: the job fails", async () => {
    await world.push("q", RAW);
    expect(await drain(undefined as never)).toMatchObject({ failed: 1 });
    expect(await world.failed()).toMatchObject([{ exception: "UsageError" }]);
  });

  test("a message just as large as it may be is sent", async () => {
    const args = (chars: number): string => JSON.stringify({ class: "Noop", args: ["x".repeat(chars)] });
    const reports = createQueue();
    await world.push("q", args(62_500));
    expect(await drain(reports)).toMatchObject({ detached: 1, failed: 0 });
    const [message = ""] = reports.sent;
    expect(new TextEncoder().encode(message).byteLength).toBeLessThanOrEqual(127_900);
  });
});

describe("batches", () => {
  test("go in one call, each job a message, and one request", async () => {
    await world.push("q", ...payloads(12));
    const reports = createQueue();
    const report = await drain(reports, { batch: { size: 4, maxWaitMs: 50 } });
    expect(report).toMatchObject({ detached: 12 });
    expect(reports.sent).toHaveLength(12);
    expect(reports.calls).toBeLessThanOrEqual(6);
  });

  test("of more than a call carries are parted", async () => {
    const large = (n: number): string => JSON.stringify({ class: "Noop", args: [n, "x".repeat(50_000)] });
    await world.push("q", ...[0, 1, 2, 3].map(large));
    const reports = createQueue();
    expect(await drain(reports, { batch: { size: 4, maxWaitMs: 50 } })).toMatchObject({ detached: 4 });
    expect(reports.calls).toBe(2);
  });

  test("that are refused give each job back", async () => {
    await world.push("q", ...payloads(3));
    const refused = createQueue(() => new Error("Too Many Requests"));
    expect(await drain(refused, { batch: { size: 3, maxWaitMs: 20 } })).toMatchObject({ released: 3, failed: 0 });
    expect(await waiting()).toHaveLength(3);
  });
});

describe("what a drain counts", () => {
  const drainWithin = async (binding: QueueBinding, options: QueueOptions, maxRequests: number) => {
    await world.push("q", ...payloads(200));
    const perform = queue(() => binding, options);
    return world.app({ jobs: [{ class: "Noop", perform }], concurrency: 4 }).drain({ maxRequests });
  };

  test.each([
    ["accepted", undefined],
    ["refused, and given back", () => new Error("Too Many Requests")],
  ])("messages that are %s: no more requests than there may be", async (_, refuse) => {
    const reports = createQueue(refuse);
    const report = await drainWithin(reports, {}, 60);
    expect(report).toMatchObject({ stopped: "budget", lost: 0, failed: 0 });
    expect(report.requests + reports.calls).toBeLessThanOrEqual(60);
    expect(reports.calls).toBeGreaterThan(10);
    const left = (await world.queued("q")).length + (await waiting()).length;
    expect(left).toBe(200);
  });

  test("those of a batch are one", async () => {
    const reports = createQueue();
    const report = await drainWithin(reports, { batch: { size: 4, maxWaitMs: 20 } }, 60);
    expect(report.requests + reports.calls).toBeLessThanOrEqual(60);
    expect(reports.sent.length).toBeGreaterThan(60);
  });
});

describe("the consumer", () => {
  const detach = async (count = 1): Promise<string[]> => {
    await world.push("q", ...payloads(count));
    const reports = createQueue();
    await drain(reports);
    return reports.sent;
  };

  test("runs and acknowledges: nothing is left, and the job counts", async () => {
    const ran: unknown[] = [];
    const jobFunction = receiver(([n]: readonly unknown[]) => void ran.push(n));
    expect(await deliver(jobFunction, await detach(3))).toEqual(["ack", "ack", "ack"]);
    expect(ran.toSorted()).toEqual([0, 1, 2]);
    expect(await world.get(world.keys.processed)).toBe("3");
    await world.expectNoTraces();
  });

  test("writes a failure, and the message is over", async () => {
    const jobFunction = receiver(() => {
      throw new RangeError("no such month");
    });
    expect(await deliver(jobFunction, await detach())).toEqual(["ack"]);
    expect(await world.failed()).toMatchObject([{ exception: "RangeError", error: "no such month", queue: "q" }]);
    await world.expectNoTraces();
  });

  test("does not run a message that comes twice", async () => {
    let runs = 0;
    const jobFunction = receiver(() => void runs++);
    const [message] = await detach();
    expect(await deliver(jobFunction, [message])).toEqual(["ack"]);
    expect(await deliver(jobFunction, [message])).toEqual(["ack"]);
    expect(runs).toBe(1);
    expect(await world.get(world.keys.processed)).toBe("1");
  });

  test("tells the end of a job to a Redis that refuses it for a while, its credentials having been good before", async () => {
    let runs = 0;
    let refusals = 3;
    const jobs = [{ class: "Noop", perform: () => void runs++ }];
    const sent = await detach();
    const error = new StoreError("unauthorized", "WRONGPASS");
    const redis = fatedClient(world.client, () => (runs > 0 && refusals-- > 0 ? { carriedOut: false, error } : "ok"));
    expect(await deliver(createJobFunction({ jobs, redis, logger: silent }), sent)).toEqual(["ack"]);
    expect({ runs, processed: await world.get(world.keys.processed) }).toEqual({ runs: 1, processed: "1" });
    expect(refusals).toBeLessThan(1);
  });

  test("leaves the message to the Queue if Redis does not answer before the job has run", async () => {
    let runs = 0;
    const jobs = [{ class: "Noop", perform: () => void runs++ }];
    const sent = await detach();
    const redis = fatedClient(world.client, () => ({ carriedOut: false, error: new StoreError("rejected", "no") }));
    expect(await deliver(createJobFunction({ jobs, redis, logger: silent }), sent)).toEqual(["retry in 30 s"]);
    expect(runs).toBe(0);
  });

  test.each([
    ["no JSON", "{"],
    ["no message", '{"hello":1}'],
    ["another version", { airlift: 2 }],
  ])("leaves %s to the Queue, whose dead letters somebody looks at", async (_, body) => {
    expect(await deliver(receiver(), [body])).toEqual(["retry in 30 s"]);
  });

  const sent = (body: object = {}): object => ({ airlift: 1, job: { class: "Noop", args: [1] }, ...body });

  test.each([
    ["is done", (): unknown => undefined, "ack"],
    ["fails", () => Promise.reject(new Error("boom")), "retry"],
    ["asks for another attempt", () => retry({ afterMs: 90_500 }), "retry in 91 s"],
    ["gives back", () => release({ afterMs: 5_000 }), "retry in 5 s"],
    ["discards", () => discard("nothing to do"), "ack"],
    ["waits for days", () => retry({ afterMs: 1e9 }), "retry in 43200 s"],
  ] as const)("a message of another producer, whose job %s", async (_, perform, end) => {
    expect(await deliver(receiver(perform), [sent()])).toEqual([end]);
    expect(await world.keyNames()).toEqual([]);
  });

  test("a batch in one message of another producer comes again if one of its jobs failed", async () => {
    const jobFunction = receiver(([n]: readonly unknown[]) => {
      if (n === 2) throw new Error("boom");
    });
    const batch = (...ns: number[]): object => ({
      airlift: 1,
      jobs: ns.map((n, id) => ({ id: String(id), class: "Noop", args: [n] })),
    });
    expect(await deliver(jobFunction, [batch(1, 3), batch(1, 2)])).toEqual(["ack", "retry"]);
  });
});

test.each([
  ["nothing", [undefined], /expected a function, as \(\) => env\.REPORTS, got undefined/],
  ["another option", [() => ({}), { lease: 1 }], /lease: unknown option/],
  ["a lease of no time", [() => ({}), { leaseMs: 0 }], /leaseMs: expected an integer from 1000 to 14 days, got 0/],
  [
    "a batch that no Queue takes",
    [() => ({}), { batch: { size: 101, maxWaitMs: 5 } }],
    /batch\.size: expected at most 100/,
  ],
])("%s is refused", (_, args, message) => {
  const make = () => queue(...(args as unknown as Parameters<typeof queue>));
  expect(make).toThrow(UsageError);
  expect(make).toThrow(message);
});
