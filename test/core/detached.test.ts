import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { AirliftOptions, DrainOptions } from "../../src/airlift.ts";
import { ACCEPTED, type Dispatch, detach, discard, release, retry } from "../../src/core/directive.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { DrainEvent } from "../../src/core/events.ts";
import { defineJob, type JobDefinition, type Logger } from "../../src/core/job.ts";
import type { JobAck } from "../../src/core/job-ack.ts";
import { payload, payloads } from "../conformance/world.ts";
import { carriedClient } from "../fault/carried-client.ts";
import { setups } from "../support/setups.ts";
import { type AppWorld, createGate, openAppWorld } from "./app-world.ts";

const never = (): Promise<never> => new Promise(() => undefined);

describe.each(setups())("jobs that their handler detaches over $name", (setup) => {
  let world: AppWorld;
  beforeAll(async () => {
    world = await openAppWorld(setup);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  /** A job that is handed over by `dispatch`. */
  const handedOver = (dispatch: Dispatch, rest: Partial<JobDefinition> = {}): JobDefinition =>
    defineJob({ class: "Noop", ...rest, perform: () => detach({ leaseMs: 60_000, dispatch }) });
  const drain = async (job: JobDefinition, app: Partial<AirliftOptions> = {}, options: DrainOptions = {}) => {
    const events: DrainEvent[] = [];
    const onEvent = (event: DrainEvent): void => void events.push(event);
    const report = await world.app({ jobs: [job], marginMs: 0, ...app }).drain({ onEvent, ...options });
    return {
      report,
      ends: events.flatMap((event) => (event.kind === "job-ended" ? [event.outcome.kind] : [])),
      events,
    };
  };
  const waiting = async () => Object.keys(((await world.everything())[world.keys.retries] ?? {}) as object);
  const counters = async () => [
    Number(await world.get(world.keys.processed)),
    Number(await world.get(world.keys.failures)),
  ];

  test("are sent after they have left the drain, with what finds them again", async () => {
    const seen: unknown[] = [];
    const dispatch: Dispatch = async (ack) => {
      const everything = await world.everything();
      const slots = Object.entries(everything).filter(
        ([key, value]) => key.includes(":worker:") && String(value).startsWith("{"),
      );
      seen.push(slots, ack);
      return ACCEPTED;
    };
    await world.push("q", payload(1));
    const { report, ends } = await drain(handedOver(dispatch));
    expect(report).toMatchObject({
      stopped: "empty",
      claimed: 1,
      detached: 1,
      succeeded: 0,
      released: 0,
      remaining: 0,
    });
    expect(ends).toEqual(["detached"]);
    expect(seen[0]).toEqual([]);
    const { head, cut, append } = seen[1] as { head: string; cut: number; append: string };
    const raw = payload(1);
    expect(await waiting()).toEqual([`${head}${raw.slice(0, -cut)}${append}}`]);
    expect(JSON.parse(JSON.stringify(seen[1]))).toMatchObject({ leaseMs: 60_000 });
  });

  test.each<[string, () => unknown, object, string, [number, number]]>([
    ["nothing", () => undefined, { succeeded: 1 }, "ok", [1, 0]],
    ["a result", () => ({ pages: 3 }), { succeeded: 1 }, "ok", [1, 0]],
    ["discard", () => discard(), { discarded: 1 }, "discarded", [1, 0]],
    ["release", () => release({ afterMs: 60_000 }), { released: 1 }, "postponed", [0, 0]],
    ["retry", () => retry({ afterMs: 60_000 }), { retried: 1 }, "retrying", [1, 1]],
  ])("end as a handler would if the dispatch returns %s", async (_name, answer, expected, kind, counted) => {
    await world.push("q", payload(1));
    const { report, ends } = await drain(handedOver(async () => answer()));
    expect(report).toMatchObject({ stopped: "empty", claimed: 1, detached: 0, failed: 0, lost: 0, ...expected });
    expect(ends).toEqual([kind]);
    expect(await counters()).toEqual(counted);
    expect((await waiting()).join()).not.toContain("detached");
  });

  test("fail if the dispatch throws, or are tried again as their policy says", async () => {
    const thrower = handedOver(() => Promise.reject(new RangeError("no")));
    await world.push("q", payload(1));
    expect(await drain(thrower)).toMatchObject({ report: { failed: 1, detached: 0 }, ends: ["failed"] });
    const [entry] = await world.failed();
    expect(entry).toMatchObject({
      exception: "RangeError",
      error: "no",
      worker: expect.stringMatching(/^airlift-.*:q$/),
    });
    await world.push("q", payload(2));
    const policy = { limit: 1, backoff: [0] };
    expect(await drain({ ...thrower, retry: policy })).toMatchObject({
      report: { claimed: 2, retried: 1, failed: 1 },
      ends: ["retrying", "failed"],
    });
    expect(await counters()).toEqual([3, 3]);
    await world.expectNoTraces();
  });

  test("are told to the hooks once it is known how they ended", async () => {
    const seen: unknown[] = [];
    const hooks = {
      afterPerform: (_job: unknown, result: unknown) => void seen.push(["after", result]),
      onFailure: (_job: unknown, error: unknown) => void seen.push(["failure", (error as Error).message]),
      onComplete: ({ state }: { state: string }) => void seen.push(["complete", state]),
    };
    for (const answer of [async () => 7, async () => ACCEPTED, () => Promise.reject(new Error("no"))]) {
      await world.push("q", payload(1));
      await drain(handedOver(answer, { hooks }));
    }
    expect(seen).toEqual([
      ["after", 7],
      ["complete", "done"],
      ["failure", "no"],
      ["complete", "failed"],
    ]);
  });

  test("are given back, and not sent, if there is no time left to send them", async () => {
    let sent = 0;
    const gate = createGate();
    const controller = new AbortController();
    const slow = defineJob({
      class: "Noop",
      perform: async (_args, { signal }) => {
        signal.addEventListener("abort", gate.open);
        controller.abort();
        await gate.passed;
        return detach({ leaseMs: 60_000, dispatch: () => void sent++ });
      },
    });
    await world.push("q", payload(1));
    const { report } = await drain(slow, { graceMs: 0 }, { signal: controller.signal });
    expect(report).toMatchObject({ stopped: "aborted", released: 1, detached: 0, remaining: 1 });
    expect(sent).toBe(0);
    expect(await world.queued("q")).toEqual([payload(1)]);
    await world.expectNoTraces();
  });

  test("are left to their lease if the drain ends while they are sent, and nobody waits on", async () => {
    const signals: unknown[] = [];
    const dispatch: Dispatch = (_ack, { signal }) => {
      signal.addEventListener("abort", () => signals.push((signal.reason as Error).name));
      return never();
    };
    await world.push("q", payload(1));
    const controller = new AbortController();
    const draining = drain(handedOver(dispatch), { graceMs: 0 }, { signal: controller.signal });
    while ((await waiting()).length === 0);
    controller.abort();
    expect((await draining).report).toMatchObject({ stopped: "aborted", detached: 1, released: 0 });
    expect(signals).toEqual(["AbortError"]);
    expect(await waiting()).toEqual([expect.stringContaining('"detached":true')]);
  });

  test("are under way no more at once than the drain may run", async () => {
    let now = 0;
    let most = 0;
    const dispatch: Dispatch = async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 5));
      now--;
      return ACCEPTED;
    };
    await world.push("q", ...payloads(40));
    expect((await drain(handedOver(dispatch), { concurrency: 4 })).report).toMatchObject({ detached: 40 });
    expect(most).toBe(4);
  });

  test("are gathered as others are: handing them over costs no exchange more", async () => {
    const dispatch: Dispatch = () => new Promise((resolve) => setTimeout(resolve, 3, ACCEPTED));
    await world.push("q", ...payloads(200));
    const { report } = await drain(handedOver(dispatch), { concurrency: 20 });
    expect(report).toMatchObject({ claimed: 200, detached: 200 });
    expect(report.commands / 200).toBeLessThan(1);
  });

  test("that nobody answers for are given up with their lease, and the drain goes on", async () => {
    const job = defineJob({ class: "Noop", perform: () => detach({ leaseMs: 50, dispatch: never }) });
    await world.push("q", ...payloads(3));
    const { report } = await drain(job, { concurrency: 1 }, { maxJobs: 3 });
    expect(report).toMatchObject({ claimed: 3, detached: 3 });
  });

  test.each(["a", "\uFFFD"])("fail with as many crashes as are borne, also if their text bears %j", async (text) => {
    await world.push("q", `{"class":"Noop","args":[${JSON.stringify(text)}],"airlift":{"crashes":2}}`);
    const { report } = await drain(
      handedOver(async () => ACCEPTED),
      { crashLimit: 2 },
    );
    expect(report).toMatchObject({ claimed: 1, failed: 1, detached: 0 });
    expect(await world.failed()).toMatchObject([{ exception: "Resque::DirtyExit", payload: { args: [text] } }]);
  });

  test("are back after their lease if it cannot be written how they ended, and the log tells", async () => {
    const errors: string[] = [];
    const quiet = (): void => undefined;
    const logger: Logger = { debug: quiet, info: quiet, warn: quiet, error: (message) => void errors.push(message) };
    const refusing = carriedClient(world.client, async ({ names, deliver }) => {
      if (names[0] === "ack-job") throw new StoreError("rejected", "no permission");
      return deliver();
    });
    await world.push("q", payload(1));
    const { report, ends } = await drain(
      handedOver(() => "done"),
      { redis: refusing, logger },
    );
    expect(report).toMatchObject({ stopped: "empty", lost: 1, succeeded: 0, detached: 0 });
    expect(ends).toEqual(["ok"]);
    expect(errors).toEqual(["how a dispatch ended could not be written: the job is back after its lease"]);
    expect(await waiting()).toEqual([expect.stringContaining('"detached":true')]);
  });

  test("are not left to their lease by an outage that the drain survives", async () => {
    let backMs = 0;
    const away = carriedClient(world.client, async ({ names, deliver }) => {
      if (names[0] !== "ack-job") return deliver();
      backMs ||= Date.now() + 1_200;
      if (Date.now() < backMs) throw new StoreError("unavailable", "a failover");
      return deliver();
    });
    await world.push("q", payload(1));
    const dispatch = () => release({ afterMs: 60_000 });
    expect((await drain(handedOver(dispatch), { redis: away })).report).toMatchObject({ released: 1, lost: 0 });
    expect((await waiting()).join()).not.toContain("detached");
  });

  test("are settled once if the reply to that is lost", async () => {
    let calls = 0;
    const losing = carriedClient(world.client, async ({ names, deliver }) => {
      const reply = await deliver();
      if (names[0] === "ack-job" && ++calls === 1) throw new StoreError("unavailable", "lost");
      return reply;
    });
    await world.push("q", payload(1));
    expect(
      (
        await drain(
          handedOver(() => "done"),
          { redis: losing },
        )
      ).report,
    ).toMatchObject({ succeeded: 1, lost: 0 });
    expect(calls).toBe(2);
    expect(await counters()).toEqual([1, 0]);
    await world.expectNoTraces();
  });

  test("are told of, and sent, if the reply to handing them over is lost", async () => {
    const acks: JobAck[] = [];
    let isLost = false;
    const losing = carriedClient(world.client, async ({ deliver }) => {
      const reply = await deliver();
      if (isLost || (await waiting()).length === 0) return reply;
      isLost = true;
      throw new StoreError("unavailable", "lost");
    });
    await world.push("q", payload(1));
    const dispatch: Dispatch = (ack) => {
      acks.push(ack);
      return ACCEPTED;
    };
    expect((await drain(handedOver(dispatch), { redis: losing })).report).toMatchObject({ detached: 1, lost: 0 });
    expect(isLost).toBe(true);
    expect(acks).toHaveLength(1);
    expect((await waiting())[0]?.startsWith(String(acks[0]?.["head"]))).toBe(true);
  });
});

test("a lease is a number of milliseconds", () => {
  for (const leaseMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => detach({ leaseMs, dispatch: () => undefined })).toThrow(
      "detach: leaseMs: expected a number of milliseconds",
    );
  }
});
