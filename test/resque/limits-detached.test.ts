import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { LimitOptions } from "../../src/core/limit.ts";
import type { DetachedOutcome, Outcome } from "../../src/core/outcome.ts";
import type { Claim, Detached } from "../../src/core/store.ts";
import { removeRetries, runRetries } from "../../src/resque/admin/retries.ts";
import { openWorld, payload, raws, slots, type TestDrainOptions, type World } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { type LimitedDrain, openLimited, send, sends } from "./limited-drain.ts";

const failure = { exception: "ArgumentError", message: "boom", backtrace: [] };

describe.each(setups())("places of detached jobs over $name", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());
  const open = (limit: LimitOptions | undefined = { running: 1 }, options?: TestDrainOptions): LimitedDrain =>
    openLimited(world, limit, { nowMs: Date.now, ...options });

  const detached = (claim: Claim, afterMs = 60_000) => {
    const outcome: DetachedOutcome = { kind: "detached", afterMs, dispatch: async () => undefined };
    return { claim, outcome };
  };
  /** Takes the first job and hands it over. */
  const detach = async (drain: LimitedDrain, leaseMs?: number): Promise<Detached> => {
    const { claims } = await drain.fill(1);
    const result = await drain.exchange({ settle: claims.map((claim) => detached(claim, leaseMs)) });
    const [first] = result.detached ?? [];
    if (!first) throw new Error("nothing was detached");
    return first;
  };
  const running = async (): Promise<Record<string, string>> =>
    ((await world.everything())[world.keys.running] ?? {}) as Record<string, string>;
  const waiting = async (): Promise<[member: string, due: string][]> =>
    Object.entries(((await world.everything())[world.keys.retries] ?? {}) as Record<string, string>);
  const end = (drain: LimitedDrain, { ack, settlement }: Detached, outcome: Outcome): Promise<boolean> =>
    drain.store.settleDetached(ack, { ...settlement, outcome });
  const context = () => ({ client: world.client, keys: world.keys, nowMs: Date.now });

  test("the place is the waiting entry's until its lease ends, in the step that hands it over", async () => {
    await world.push("q", ...sends(3), payload(0));
    const drain = open();
    const { claims } = await drain.fill(1);
    const { isLimited, ...next } = await drain.exchange({
      settle: claims.map((claim) => detached(claim)),
      fill: [0, 1],
    });
    expect(raws(next.claims)).toEqual([payload(0)]);
    expect(isLimited).toBe(true);
    const [[member, due] = ["", ""]] = await waiting();
    const { id } = JSON.parse(member) as { id: string };
    expect(member).toContain('"detached":true,"limited":true,"payload":');
    expect(await running()).toEqual({ [id]: `Send\n\n${due}` });
  });

  test("other drains keep to it while the drain lives, after it has closed, and after it was recovered", async () => {
    await world.push("q", ...sends(9));
    const [drain, closing, other] = [open({ running: 2 }), open({ running: 2 }), open({ running: 2 })];
    await detach(closing);
    await detach(drain);
    expect(await other.fill(2)).toMatchObject({ claims: [], isLimited: true });
    await closing.store.close();
    expect(await other.fill(2)).toMatchObject({ claims: [], isLimited: true });
    await drain.fill(2);
    await world.endLeases();
    for (const dead of (await other.store.survey()).dead) await other.store.recover(dead);
    expect(await other.fill(2)).toMatchObject({ claims: [], isLimited: true });
    expect(Object.keys(await running())).toHaveLength(2);
  });

  test.each<[string, Outcome]>([
    ["ok", { kind: "ok" }],
    ["discarded", { kind: "discarded", reason: undefined }],
    ["failed", { kind: "failed", failure }],
    ["dropped", { kind: "dropped", failure }],
    ["retried", { kind: "retrying", failure, afterMs: 9_000 }],
    ["put off", { kind: "postponed", afterMs: 9_000 }],
    ["released", { kind: "released" }],
    ["requeued", { kind: "requeued" }],
  ])("one that is acknowledged as %s gives its place back in the same step", async (_kind, outcome) => {
    await world.push("q", ...sends(2));
    const [drain, other] = [open(), open()];
    const held = await detach(drain);
    expect(await end(drain, held, outcome)).toBe(true);
    expect(await running()).toEqual({});
    expect((await other.fill(1)).claims).toHaveLength(1);
    const places = await running();
    expect(await end(drain, held, outcome)).toBe(false);
    expect(await running()).toEqual(places);
  });

  test("one whose lease has ended counts no more, and its place is forgotten", async () => {
    await world.push("q", ...sends(2));
    const [drain, other] = [open(), open()];
    await detach(drain, -60_000);
    expect(raws((await other.fill(2)).claims)).toEqual([send(1)]);
    expect(await running()).toEqual({ [`${other.description.id}.0`]: "Send\n" });
    expect((await waiting())[0]?.[0]).toContain('"detached":true');
  });

  test("one that comes back to its queue leaves its place behind", async () => {
    await world.push("q", send(0));
    const [drain, other] = [open(), open()];
    await detach(drain, -60_000);
    expect(Object.keys(await running())).toHaveLength(1);
    expect(await other.store.promote()).toMatchObject({ promoted: 1 });
    expect(await running()).toEqual({});
    expect((await other.fill(1)).claims).toMatchObject([{ job: { attempt: 2 } }]);
  });

  test("one that an admin runs keeps its place until it is in its queue, and one that is removed gives it back", async () => {
    await world.push("q", ...sends(2));
    const [drain, other] = [open({ running: 2 }), open({ running: 2 })];
    await detach(drain);
    await detach(drain);
    const [, [second = ""] = []] = await waiting();
    const { id } = JSON.parse(second) as { id: string };
    expect(await runRetries(context(), { ids: [id] })).toMatchObject({ changed: 1 });
    expect(Object.keys(await running())).toHaveLength(2);
    await other.store.survey();
    while ((await other.store.promote()).promoted === 0);
    expect(Object.keys(await running())).toHaveLength(1);
    expect(Object.keys(await running())).not.toContain(id);
    expect(await removeRetries(context(), { all: true })).toMatchObject({ changed: 1 });
    expect(await running()).toEqual({});
  });

  test("each key has its own, whatever it is made of", async () => {
    const keys = ["7\n8", "7", "", "x".repeat(99), "7\n99999999999999", 7];
    await world.push("q", ...keys.map((key) => send(key)), ...keys.map((key) => send(key, "again")));
    const drain = open({ running: 1, by: [0] }, { slots: 16 });
    const { claims } = await drain.fill(16);
    const different = new Set(keys.map(String)).size;
    expect(claims).toHaveLength(different);
    const before = Object.values(await running()).sort();
    const result = await drain.exchange({ settle: claims.map((claim) => detached(claim)), fill: slots(16) });
    expect(result).toMatchObject({ claims: [], isLimited: true });
    const names = Object.values(await running()).map((value) => value.replace(/\n\d+$/, ""));
    expect(names.sort()).toEqual(before);
    const [first] = result.detached ?? [];
    if (!first) throw new Error("nothing was detached");
    await end(drain, first, { kind: "ok" });
    const next = await drain.fill(16);
    expect(raws(next.claims)).toEqual([send(keys[0], "again")]);
  });

  test("a Rails job has one", async () => {
    const job = JSON.stringify({ job_class: "Send", job_id: "1", queue_name: "q", arguments: ["a"], executions: 0 });
    const railsJob = `{"class":"ActiveJob::QueueAdapters::ResqueAdapter::JobWrapper","args":[${job}]}`;
    await world.push("q", railsJob, railsJob);
    const drain = open({ running: 1, by: [0] });
    await detach(drain);
    expect(Object.values(await running())).toEqual([expect.stringMatching(/^Send\na\n\d+$/)]);
    expect(await drain.fill(1)).toMatchObject({ claims: [], isLimited: true });
  });

  test.runIf(kind.server === "redis-server")(
    "one that Redis' Lua cannot read, not even its class, is handed over all the same, and holds none",
    async () => {
      await world.push("q", `{"args":[${"[".repeat(1_100)}${"]".repeat(1_100)}],"class":"Send"}`);
      const drain = open();
      const held = await detach(drain);
      expect(await running()).toEqual({});
      expect(await end(drain, held, { kind: "ok" })).toBe(true);
      expect(await world.keyNames()).not.toContain(world.keys.retries);
    },
  );

  test("a repeated hand-over changes nothing, not even after the acknowledgement", async () => {
    await world.push("q", send(0));
    const drain = open();
    const { claims } = await drain.fill(1);
    const params = { seq: 9, settle: claims.map((claim) => detached(claim)) };
    const first = await drain.exchange(params);
    const places = await running();
    const second = await drain.exchange({ ...params, attempt: 2 });
    expect(second.detached?.map(({ ack }) => ack)).toEqual(first.detached?.map(({ ack }) => ack));
    expect(await running()).toEqual(places);
    await end(drain, (second.detached as Detached[])[0] as Detached, { kind: "ok" });
    await drain.exchange({ ...params, attempt: 3 });
    expect(await running()).toEqual({});
  });

  test("without a limit of those that run there is none", async () => {
    await world.push("q", ...sends(2));
    await detach(open({ rate: { jobs: 9, periodMs: 60_000 } }));
    await detach(openLimited(world, undefined, { nowMs: Date.now }));
    expect(await running()).toEqual({});
    expect((await waiting()).filter(([member]) => member.includes("limited"))).toEqual([]);
  });
});
