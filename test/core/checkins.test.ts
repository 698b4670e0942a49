import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { CheckIn } from "../../src/core/checkins.ts";
import type { DrainEvent } from "../../src/core/events.ts";
import type { JobContext } from "../../src/core/job.ts";
import { readCheckins } from "../../src/resque/checkins.ts";
import { payload, payloads } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { until } from "../support/until.ts";
import { type AppWorld, createGate, fatedClient, openAppWorld } from "./app-world.ts";

const never = (): Promise<never> => new Promise(() => undefined);

describe.each(setups())("check-ins over $name", (kind) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  /** What an onlooker sees: of each worker that holds a job, its check-in. */
  const look = async (): Promise<(CheckIn | undefined)[]> => {
    const [ids] = await world.send(["SMEMBERS", world.keys.workers]);
    const workers = [];
    for (const id of (ids as Uint8Array[]).map((each) => Buffer.from(each).toString())) {
      const entry = await world.get(world.keys.worker(id));
      if (entry) workers.push({ id, token: (JSON.parse(entry) as { claim: string }).claim });
    }
    const checkins = await readCheckins(world.client, world.keys, workers);
    return workers.map(({ id }) => checkins.get(id));
  };
  const shown = async (): Promise<CheckIn> =>
    until(async () => {
      const [checkin] = await look();
      return checkin;
    });

  test("are shown while the job runs, the latest, a message beside a progress, and go with it", async () => {
    await world.push("q", payload(1));
    const gate = createGate();
    const perform = async (_args: unknown, job: JobContext) => {
      for (let row = 0; row < 1_000; row++) void job.checkin(`i=${row}`);
      await job.progress(7, 10);
      await gate.passed;
    };
    const events: DrainEvent[] = [];
    const before = Date.now();
    const app = world.app({ jobs: [{ class: "Noop", perform }] });
    const draining = app.drain({ onEvent: (event) => event.kind === "job-checkin" && events.push(event) });
    const checkin = await shown();
    expect(checkin).toEqual({ atMs: expect.any(Number), message: "i=999", done: 7, total: 10 });
    expect(checkin.atMs).toBeGreaterThanOrEqual(before - 50);
    expect(events).toHaveLength(1_001);
    expect(events.at(-1)).toMatchObject({ kind: "job-checkin", queue: "q", class: "Noop", message: "i=999", done: 7 });
    // Should everybody be gone, it goes too.
    const [ttlMs] = await world.send(["PTTL", world.keys.checkins]);
    expect(Number(ttlMs)).toBeGreaterThan(0);
    gate.open();
    await draining;
    await world.expectNoTraces();
  });

  test("are not shown for the slot's next job", async () => {
    await world.push("q", ...payloads(2));
    const gates = [createGate(), createGate()];
    const perform = async ([n]: readonly unknown[], job: JobContext) => {
      if (n === 0) await job.checkin("the first");
      await gates[n as number]?.passed;
    };
    const app = world.app({ jobs: [{ class: "Noop", perform }], concurrency: 1 });
    const draining = app.drain();
    expect((await shown()).message).toBe("the first");
    const [[id, text] = []] = Object.entries(await fieldsOf(world));
    gates[0]?.open();
    await until(async () => (await world.queued("q")).length === 0);
    const cleared = await until(async () => {
      const [checkin] = await look();
      return checkin === undefined && "gone";
    });
    expect(cleared).toBe("gone");
    // A request that was on its way for long arrives now.
    await world.send(["HSET", world.keys.checkins, id as string, text as string]);
    expect(await look()).toEqual([undefined]);
    gates[1]?.open();
    await draining;
  });

  test("resolve at once while Redis is away, and are shown when it is back", async () => {
    await world.push("q", payload(1));
    let isAway = false;
    let calls = 0;
    const redis = fatedClient(world.client, () => {
      if (!isAway) return "ok";
      calls++;
      return { carriedOut: false };
    });
    const gate = createGate();
    const perform = async (_args: unknown, job: JobContext) => {
      isAway = true;
      await job.checkin("still here");
      await gate.passed;
    };
    const draining = world.app({ redis, jobs: [{ class: "Noop", perform }] }).drain();
    await until(() => calls > 0);
    isAway = false;
    expect((await shown()).message).toBe("still here");
    gate.open();
    expect(await draining).toMatchObject({ succeeded: 1, lost: 0 });
    await world.expectNoTraces();
  });

  test("do not extend the lease", async () => {
    await world.push("q", payload(1));
    const gate = createGate();
    const perform = async (_args: unknown, job: JobContext) => {
      const timer = setInterval(() => void job.checkin("still here"), 10);
      await gate.passed;
      clearInterval(timer);
    };
    const lease = async (): Promise<number> => {
      const { [world.keys.drains]: drains } = await world.everything();
      return Number(Object.values(drains ?? {})[0]);
    };
    const draining = world.app({ jobs: [{ class: "Noop", perform }] }).drain();
    try {
      const { atMs } = await shown();
      const first = await lease();
      expect(first).toBeGreaterThan(0);
      await until(async () => ((await look())[0]?.atMs ?? 0) > atMs);
      expect(await lease()).toBe(first);
    } finally {
      gate.open();
    }
    expect(await draining).toMatchObject({ succeeded: 1 });
  });

  test("do not extend the time limit", async () => {
    await world.push("q", payload(1));
    const perform = async (_args: unknown, job: JobContext) => {
      const timer = setInterval(() => void job.checkin("still here"), 10);
      job.signal.addEventListener("abort", () => clearInterval(timer));
      await never();
    };
    const report = await world.app({ jobs: [{ class: "Noop", perform, timeoutMs: 150 }] }).drain();
    expect(report).toMatchObject({ failed: 1 });
    expect((await world.failed())[0]).toMatchObject({ exception: "TimeoutError" });
  });

  test("of a job that has ended are not heard, whatever its handler goes on to tell", async () => {
    await world.push("q", ...payloads(2));
    const told = createGate();
    const second = createGate();
    const events: DrainEvent[] = [];
    const perform = ([n]: readonly unknown[], job: JobContext) => {
      if (n === 1) return second.passed;
      setTimeout(() => {
        void job.checkin("too late");
        void job.progress(1, 2);
        told.open();
      }, 20);
      return undefined;
    };
    const app = world.app({ jobs: [{ class: "Noop", perform }], concurrency: 1 });
    const draining = app.drain({ onEvent: (event) => event.kind === "job-checkin" && events.push(event) });
    await told.passed;
    second.open();
    await draining;
    expect(events).toEqual([]);
  });

  test("of a drain that died are cleared by its recovery", async () => {
    await world.push("q", payload(1));
    let isDead = false;
    const perform = async (_args: unknown, job: JobContext) => {
      await job.checkin("the last words");
      await never();
    };
    const redis = fatedClient(world.client, () => (isDead ? { carriedOut: false } : "ok"));
    world
      .app({ redis, jobs: [{ class: "Noop", perform }] })
      .drain()
      .catch(() => undefined);
    expect((await shown()).message).toBe("the last words");
    isDead = true;
    await world.endLeases();
    const app = world.app({ jobs: [{ class: "Noop", perform: () => undefined }] });
    expect(await app.drain()).toMatchObject({ recovered: 1, succeeded: 1 });
    await world.expectNoTraces();
  });

  test("of jobs that are given back are cleared", async () => {
    await world.push("q", payload(1));
    const controller = new AbortController();
    const perform = async (_args: unknown, job: JobContext) => {
      await job.checkin("on my way");
      await never();
    };
    const app = world.app({ jobs: [{ class: "Noop", perform }], graceMs: 0 });
    const draining = app.drain({ signal: controller.signal });
    await shown();
    controller.abort();
    expect(await draining).toMatchObject({ released: 1 });
    await world.expectNoTraces();
  });
});

const [real] = setups().filter(({ name }) => name === "redis-server-tcp");

describe.skipIf(!real)("what check-ins cost", () => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(real as NonNullable<typeof real>);
    await world.push("q", payload(1));
    await world.app({ jobs: [{ class: "Noop", perform: () => undefined }] }).drain();
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  test("nothing for jobs that end before they are shown", async () => {
    await world.push("q", payload(1));
    const perform = (_args: unknown, job: JobContext) => {
      void job.checkin("quick");
    };
    await world.countCommands();
    const report = await world.app({ jobs: [{ class: "Noop", perform }] }).drain();
    expect(report.commands).toBe(25);
    expect(await world.countCommands()).toBe(25);
  });

  test("one HSET a second for all jobs of a drain, a PEXPIRE with the first, and an HDEL with each exchange that ends some", async () => {
    await world.push("q", ...payloads(20));
    const gate = createGate();
    let told = 0;
    const perform = async (_args: unknown, job: JobContext) => {
      const timer = setInterval(() => {
        told++;
        void job.checkin(`${told}`);
      }, 5);
      await gate.passed;
      clearInterval(timer);
    };
    const app = world.app({ jobs: [{ class: "Noop", perform }], concurrency: 20 });
    await world.countCommands();
    const draining = app.drain();
    await until(async () => Object.keys(await fieldsOf(world)).length === 20);
    const [first] = Object.values(await fieldsOf(world));
    await until(async () => Object.values(await fieldsOf(world))[0] !== first);
    await until(() => told > 2_000, { timeoutMs: 30_000 });
    gate.open();
    const report = await draining;
    const calls = await callsOf(world, ["hset", "pexpire", "hdel"]);
    const seconds = Math.ceil(report.durationMs / 1_000);
    // HSET and HDEL are also what opening and closing do with the heartbeats.
    expect(calls["hset"]).toBeLessThanOrEqual(seconds + 1);
    expect(calls["pexpire"]).toBe(1);
    expect(calls["hdel"]).toBeLessThanOrEqual(3);
    await world.expectNoTraces();
  });

  test.each(["hset", "pexpire"])(
    "a user whom the server refuses %s has no check-ins and loses no job",
    async (command) => {
      const { ioredis } = await import("../../src/redis/ioredis.ts");
      // HSET is needed for the heartbeats: it is refused for the check-ins alone.
      const rights =
        command === "hset" ? ["~resque:[^a]*", "~resque:airlift:[^c]*", "+@all"] : ["~*", "+@all", "-pexpire"];
      await world.send(["ACL", "SETUSER", "someone", "reset", "on", ">secret", "&*", ...rights]);
      const redis = ioredis(world.setup.redis.url.replace("//", "//someone:secret@"));
      await world.push("q", payload(1));
      const given = createGate();
      const perform = async (_args: unknown, job: JobContext) => {
        await job.checkin("is anybody there?");
        await given.passed;
      };
      const report = await world.app({ redis, jobs: [{ class: "Noop", perform }] }).drain({
        onEvent: (event) => event.kind === "store-retry" && given.open(),
      });
      expect(report).toMatchObject({ succeeded: 1, stopped: "empty" });
      await redis.close();
    },
  );
});

/** The hash of check-ins. */
async function fieldsOf(world: AppWorld): Promise<Record<string, string>> {
  const { [world.keys.checkins]: hash } = await world.everything();
  return (hash as { readonly value: Record<string, string> } | undefined)?.value ?? {};
}

/** How often the server has carried out some commands; `countCommands` begins anew. */
async function callsOf(world: AppWorld, names: readonly string[]): Promise<Record<string, number>> {
  const [info] = await world.send(["INFO", "commandstats"]);
  const text = Buffer.from(info as Uint8Array).toString();
  return Object.fromEntries(
    names.map((name) => [name, Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, "m").exec(text)?.[1] ?? 0)]),
  );
}
