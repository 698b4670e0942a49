import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Claim, ExchangeParams } from "../../src/core/store.ts";
import type { RedisReply, ScriptCall } from "../../src/resque/client.ts";
import { createExchangeCall, type ExchangeContext } from "../../src/resque/exchange-call.ts";
import type { ExchangeReply } from "../../src/resque/exchange-reply.ts";
import type { Setup } from "../support/setups.ts";
import {
  failed,
  NOW_MS,
  ok,
  openWorld,
  payload,
  payloads,
  raws,
  released,
  requeued,
  slots,
  type TestDrain,
  type World,
} from "./world.ts";

interface ExchangeOptions extends Partial<Omit<ExchangeParams, "beat">> {
  readonly queues?: readonly string[];
  readonly isOpening?: boolean;
  readonly context?: Partial<ExchangeContext>;
}

/** What the script's reply looks like: see the head of exchange.lua. */
type Reply = [
  number,
  number,
  number,
  number,
  number[],
  number[],
  string[],
  (string | number)[],
  number[],
  string,
  string,
];

interface Exchanged extends ExchangeReply {
  readonly reply: Reply;
  readonly call: ScriptCall;
}

/** The exchange script, over one way to reach Redis: what it returns, and what it leaves in every key. */
export function describeExchangeScript(kind: Setup): void {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  const prepare = (drain: TestDrain, options: ExchangeOptions) => {
    const { seq = 1, attempt = 1, settle = [], fill = [], queues = ["q"], isOpening = false } = options;
    const context = { ...drain.context, ...options.context };
    return createExchangeCall(context, { seq, attempt, settle, fill }, queues, { isOpening, nowMs: NOW_MS });
  };
  const exchange = async (drain: TestDrain, options: ExchangeOptions): Promise<Exchanged> => {
    const { call, read } = prepare(drain, options);
    const reply = await world.client.script(call);
    return { ...read(reply), reply: reply as Reply, call };
  };
  const open = (drain: TestDrain, fill: readonly number[], options: ExchangeOptions = {}): Promise<Exchanged> =>
    exchange(drain, { ...options, seq: 1, fill, isOpening: true });
  const repeat = async ({ call }: { readonly call: ScriptCall }): Promise<Reply> =>
    (await world.client.script(call)) as RedisReply as Reply;
  const entry = (claim: Claim, raw: string): string =>
    `{"claim":"${claim.token}","queue":${JSON.stringify(claim.queue)},"run_at":"2026-11-20T18:50:57Z","payload":${raw}}`;
  const at = (claims: readonly Claim[], index: number): Claim => {
    const claim = claims[index];
    if (!claim) throw new Error(`no claim ${index} among ${claims.length}`);
    return claim;
  };
  /** The keys of a registered drain, its slots apart. */
  const registration = ({ own, member }: TestDrain) => ({
    "resque:airlift:drains": { [member]: expect.stringMatching(/^\d{13}$/) },
    "resque:workers": Object.fromEntries(own.ids.map((id) => [id, true])),
    "resque:workers:heartbeat": Object.fromEntries(own.ids.map((id) => [id, "2026-11-20T18:50:57+00:00"])),
    ...Object.fromEntries(own.started.map((key) => [key, "2026-11-20 18:50:57 +0000"])),
  });

  describe("opening", () => {
    test("claims from the queue's head and registers every worker of the drain, without TTLs", async () => {
      const drain = world.drain();
      await world.push("q", ...payloads(3));
      const { claims, reply } = await open(drain, [0, 1]);
      expect(reply).toEqual([
        9,
        1,
        0,
        0,
        [],
        [1, 1, 2],
        [payload(0), payload(1)],
        [],
        [],
        "",
        expect.stringMatching(/^\w+(\.\d+){3}$/),
      ]);
      expect(claims.map(({ slot, queue }) => ({ slot, queue }))).toEqual([
        { slot: 0, queue: "q" },
        { slot: 1, queue: "q" },
      ]);
      expect(await world.everything()).toEqual({
        ...registration(drain),
        "resque:queue:q": [payload(2)],
        "resque:queues": { q: true },
        "resque:stat:processed": "0",
        [drain.own.slots[0] as string]: entry(at(claims, 0), payload(0)),
        [drain.own.slots[1] as string]: entry(at(claims, 1), payload(1)),
      });
    });

    test("sets the lease's end by Redis' clock", async () => {
      const drain = world.drain({ leaseMs: 5_000 });
      await world.push("q", payload(1));
      const [before] = await world.send(["TIME"]);
      await open(drain, [0]);
      const [score, after] = await world.send(["ZSCORE", world.keys.drains, drain.member], ["TIME"]);
      const ms = (time: unknown) => {
        const [seconds, micros] = time as unknown[];
        return Number(String(seconds)) * 1_000 + Number(String(micros)) / 1_000;
      };
      expect(Number(String(score))).toBeGreaterThanOrEqual(Math.floor(ms(before)) + 5_000);
      expect(Number(String(score))).toBeLessThanOrEqual(ms(after) + 5_000);
    });

    test("registers nothing if it finds nothing", async () => {
      const { reply } = await open(world.drain(), [0, 1]);
      expect(reply).toEqual([4, 0, 1, 0, [], [], [], [], [], "", expect.stringMatching(/^\w+(\.\d+){3}$/)]);
      expect(await world.everything()).toEqual({ "resque:stat:processed": "0" });
    });

    test("without being told to open, claims nothing for a drain that is not registered", async () => {
      await world.push("q", payload(1));
      const { reply } = await exchange(world.drain(), { fill: [0] });
      expect(reply.slice(1)).toEqual([0, 1, 0, [], [], [], [], [], "", expect.stringMatching(/^\w+(\.\d+){3}$/)]);
      expect(await world.queued("q")).toEqual([payload(1)]);
    });
  });

  describe("settling", () => {
    test("counts what is done, empties the slot, and fills it again in the same call", async () => {
      const drain = world.drain();
      await world.push("q", ...payloads(3));
      const { claims } = await open(drain, [0, 1]);
      const next = await exchange(drain, { seq: 2, settle: claims.map(ok), fill: [0, 1] });
      expect(next.reply.slice(1, 5)).toEqual([1, 1, 0, []]);
      expect(next.innerCommands).toBe(5); // MGET, INCRBY, LPOP, MSET, DEL
      expect(await world.everything()).toEqual({
        ...registration(drain),
        "resque:queues": { q: true },
        "resque:stat:processed": "2",
        [drain.own.slots[0] as string]: entry(at(next.claims, 0), payload(2)),
      });
      expect(at(next.claims, 0).token).not.toBe(at(claims, 0).token);
    });

    test.each([1, 500])("costs 5 commands in steady state when it moves %i jobs", async (count) => {
      const drain = world.drain({ slots: count });
      await world.push("q", ...payloads(2 * count));
      const { claims } = await open(drain, slots(count));
      const next = await exchange(drain, { seq: 2, settle: claims.map(ok), fill: slots(count) });
      expect(next.claims).toHaveLength(count);
      expect(next.reply[0]).toBe(5);
    });

    test("writes a failure around the producer's bytes, in Ruby's order", async () => {
      const drain = world.drain();
      const raw = '{ "args":[1.0,12345678901234567890,[],{},"<&>\\u2028é"],"queue":"q","class":"Noop","2":0,"1":0 }';
      await world.push("q", raw);
      const { claims } = await open(drain, [0]);
      await exchange(drain, { seq: 2, settle: [failed(at(claims, 0), "boom: é\n")] });
      const everything = await world.everything();
      expect(everything).toMatchObject({ "resque:stat:processed": "1", "resque:stat:failed": "1" });
      expect(everything["resque:failed"]).toEqual([
        `{"failed_at":"2026/11/20 18:50:57 UTC","payload":${raw},"exception":"ArgumentError","error":"boom: é\\n",` +
          `"backtrace":["a.ts:1"],"worker":"${drain.own.ids[0]}","queue":"q"}`,
      ]);
      expect(everything).not.toHaveProperty([drain.own.slots[0] as string]);
    });

    test("writes a payload that is no job as text inside one", async () => {
      const drain = world.drain();
      const broken = [
        "not json",
        "null",
        "[]",
        '{"class":1}',
        '{"class":"A","args":{}}',
        '{"class":"A"} x',
        'é\u0001"\\/',
      ];
      await world.push("q", ...broken);
      const { claims } = await open(drain, slots(4));
      const more = await exchange(drain, { seq: 2, settle: claims.map((c) => failed(c)), fill: slots(4) });
      await exchange(drain, { seq: 3, settle: more.claims.map((c) => failed(c)) });
      const entries = await world.failed();
      expect(entries.map((e) => e.payload)).toEqual(broken.map((raw) => ({ class: "MalformedPayload", args: [raw] })));
    });

    test("writes bytes that are no UTF-8 one by one, so that they can be had back", async () => {
      const drain = world.drain();
      const bytes = Uint8Array.of(0x22, 0xff, 0xc3, 0x28, 0x41, 0x22);
      await world.push("q", bytes, payload(1));
      const { claims } = await open(drain, slots(2));
      const claim = at(claims, 0);
      const job = { kind: "malformed", raw: claim.job.raw, reason: "not valid UTF-8", isBinary: true } as const;
      const { reply } = await exchange(drain, { seq: 2, settle: [failed({ ...claim, job }), ok(at(claims, 1))] });
      expect([reply[4], await world.get(world.keys.processed)]).toEqual([[], "2"]);
      const [entryOfBytes] = await world.failed();
      expect(Buffer.from(entryOfBytes?.payload.args[0] as string, "latin1")).toEqual(Buffer.from(bytes));
    });

    test("puts released jobs back at their queue's head, in their order, and counts nothing", async () => {
      const drain = world.drain();
      await world.push("q", ...payloads(4));
      const { claims } = await open(drain, slots(3));
      const { reply } = await exchange(drain, { seq: 2, settle: claims.map(released) });
      expect(reply.slice(4)).toEqual([[], [], [], [], [], "", expect.stringMatching(/^\w+(\.\d+){3}$/)]);
      expect(await world.everything()).toEqual({
        ...registration(drain),
        "resque:queue:q": payloads(4),
        "resque:queues": { q: true },
        "resque:stat:processed": "0",
      });
    });

    test("puts requeued jobs at their queue's tail, and tells how many were before them", async () => {
      const drain = world.drain();
      await world.push("q", ...payloads(5));
      const { claims } = await open(drain, slots(2));
      const { reply, requeued: before } = await exchange(drain, { seq: 2, settle: claims.map(requeued) });
      expect(reply[8]).toEqual([1, 3]);
      expect([...before]).toEqual([["q", 3]]);
      expect(await world.queued("q")).toEqual([2, 3, 4, 0, 1].map((n) => payload(n)));
    });

    test("gives a job back to a queue that is no longer tried", async () => {
      const drain = world.drain();
      await world.push("gone", payload(1));
      const { claims } = await open(drain, [0], { queues: ["gone"] });
      await world.push("q", payload(2));
      const next = await exchange(drain, { seq: 2, settle: claims.map(released), fill: [1], queues: ["q"] });
      expect(raws(next.claims)).toEqual([payload(2)]);
      expect(await world.queued("gone")).toEqual([payload(1)]);
    });

    test("settles each kind in one call", async () => {
      const drain = world.drain();
      await world.push("q", ...payloads(6));
      const { claims } = await open(drain, slots(4));
      const settle = [ok(at(claims, 0)), failed(at(claims, 1)), released(at(claims, 2)), requeued(at(claims, 3))];
      const { reply } = await exchange(drain, { seq: 2, settle, fill: [1, 2] });
      expect(reply.slice(4, 7)).toEqual([[], [3, 1, 2], [payload(2), payload(4)]]);
      expect(await world.queued("q")).toEqual([payload(5), payload(3)]);
      expect(await world.get(world.keys.processed)).toBe("2");
      expect((await world.failed()).map((e) => e.payload.args)).toEqual([[1]]);
    });

    test("writes nothing for a slot that bears another token, and tells it", async () => {
      const drain = world.drain();
      await world.push("q", ...payloads(3));
      const { claims } = await open(drain, slots(3));
      const slot0 = drain.own.slots[0] as string;
      await world.send(
        ["SET", slot0, entry({ ...at(claims, 0), token: "other.1" }, "{}")],
        ["DEL", drain.own.slots[1] as string],
      );
      const before = await world.everything();
      const settle = [failed(at(claims, 0)), released(at(claims, 1)), ok(at(claims, 2))];
      const { reply, lost } = await exchange(drain, { seq: 2, settle });
      expect(reply[4]).toEqual([1, 2]);
      expect(lost).toEqual(settle.slice(0, 2));
      const { [drain.own.slots[2] as string]: _done, ...rest } = before;
      expect(await world.everything()).toEqual({ ...rest, "resque:stat:processed": "1" });
    });
  });

  describe("repeated and late requests", () => {
    test("a repeated request finds the same jobs and settles nothing twice", async () => {
      const drain = world.drain();
      await world.push("q", ...payloads(9));
      const { claims } = await open(drain, slots(4));
      const settle = [failed(at(claims, 0)), released(at(claims, 1)), requeued(at(claims, 2)), ok(at(claims, 3))];
      const first = await exchange(drain, { seq: 2, settle, fill: slots(4) });
      const before = await world.everything();
      const again = await repeat(first);
      expect(await world.everything()).toEqual(before);
      expect(again[4]).toEqual([1, 2, 3, 4]);
      expect(again[5]).toEqual([]);
      expect(again[7]).toEqual(first.claims.flatMap((claim, i) => [i + 1, entry(claim, claim.job.raw)]));
    });

    test("a repeated opening finds the same jobs", async () => {
      const drain = world.drain();
      await world.push("q", ...payloads(3));
      const first = await open(drain, slots(2));
      const before = await world.everything();
      const again = prepare(drain, { seq: 1, attempt: 2, fill: slots(2), isOpening: true });
      const { claims, isRegistered } = again.read(await world.client.script(again.call));
      expect(claims.map(({ slot, queue, token, job }) => ({ slot, queue, token, job }))).toEqual(first.claims);
      expect(isRegistered).toBe(true);
      expect({ ...(await world.everything()), "resque:airlift:drains": 0 }).toEqual({
        ...before,
        "resque:airlift:drains": 0,
      });
    });

    test("an occupied slot is told, never overwritten, and the others are filled", async () => {
      const drain = world.drain();
      await world.push("q", ...payloads(3));
      const { claims } = await open(drain, [1]);
      const next = await exchange(drain, { seq: 2, fill: slots(3) });
      expect(next.reply[5]).toEqual([1, 1, 1, 3, 1, 1]);
      expect(next.reply[6]).toEqual([payload(1), payload(2)]);
      expect(next.reply[7]).toEqual([2, entry(at(claims, 0), payload(0))]);
      expect(next.claims.find(({ slot }) => slot === 1)).toEqual(at(claims, 0));
    });

    test("a job that a late duplicate put into a free slot is found by the next filling of that slot", async () => {
      const drain = world.drain();
      await world.push("q", payload(0));
      const { claims } = await open(drain, [0]);
      const second = await exchange(drain, { seq: 2, settle: claims.map(ok), fill: [0] });
      expect(second.claims).toEqual([]);
      await world.push("q", payload(1));
      expect((await repeat(second))[6]).toEqual([payload(1)]);
      const third = await exchange(drain, { seq: 3, fill: [0] });
      expect(raws(third.claims)).toEqual([payload(1)]);
      await exchange(drain, { seq: 4, settle: third.claims.map(ok) });
      expect(await world.get(world.keys.processed)).toBe("2");
    });

    test("a drain without its fence claims nothing, and still settles what it holds", async () => {
      const drain = world.drain();
      await world.push("q", ...payloads(2));
      const { claims } = await open(drain, [0]);
      await world.send(["DEL", drain.own.started[0] as string]);
      const { reply } = await exchange(drain, { seq: 2, settle: claims.map(ok), fill: [0] });
      expect(reply.slice(1, 6)).toEqual([0, 1, 0, [], []]);
      expect(await world.queued("q")).toEqual([payload(1)]);
      expect(await world.get(world.keys.processed)).toBe("1");
      expect(await world.get(drain.own.slots[0] as string)).toBeNull();
    });
  });

  describe("queues", () => {
    test("serves several queues in strict order", async () => {
      const drain = world.drain({ slots: 8 });
      await world.push("low", ...payloads(2, 20));
      await world.push("high", ...payloads(2));
      await world.push("middle", ...payloads(2, 10));
      const { claims, reply } = await open(drain, slots(5), { queues: ["high", "none", "middle", "low"] });
      expect(claims.map(({ queue }) => queue)).toEqual(["high", "high", "middle", "middle", "low"]);
      expect(raws(claims)).toEqual([0, 1, 10, 11, 20].map((n) => payload(n)));
      expect(reply[2]).toBe(0);
      expect(await world.queued("low")).toEqual([payload(21)]);
    });

    test("says that the queues are drained when they hold fewer jobs than asked for", async () => {
      const drain = world.drain();
      await world.push("b", payload(0));
      const { isDrained } = await open(drain, slots(2), { queues: ["a", "b"] });
      expect(isDrained).toBe(true);
    });

    test("names of any characters survive in the entry", async () => {
      const name = 'é"\\,"run_at":"x","payload":{';
      const drain = world.drain();
      await world.push(name, payload(0));
      const { claims } = await open(drain, [0], { queues: [name] });
      expect(at(claims, 0).queue).toBe(name);
      const found = await exchange(drain, { seq: 2, fill: [0], queues: [name] });
      expect(found.claims).toEqual(claims);
      await exchange(drain, { seq: 3, settle: claims.map(released), queues: ["q"] });
      expect(await world.queued(name)).toEqual([payload(0)]);
    });

    test.each(["true", "TRUE"])("claims nothing while pause-all-workers is %s", async (value) => {
      await world.push("q", payload(0));
      await world.send(["SET", world.keys.pauseAll, value]);
      const { isPaused, claims } = await open(world.drain(), [0]);
      expect({ isPaused, claims }).toEqual({ isPaused: true, claims: [] });
      expect(await world.queued("q")).toEqual([payload(0)]);
    });

    test("is not paused by another value of pause-all-workers", async () => {
      await world.push("q", payload(0));
      await world.send(["SET", world.keys.pauseAll, "false"]);
      const { isPaused, claims } = await open(world.drain(), [0]);
      expect({ isPaused, count: claims.length }).toEqual({ isPaused: false, count: 1 });
    });

    test("passes over a paused queue, whatever the pause key's value", async () => {
      await world.push("a", payload(0));
      await world.push("b", payload(1));
      await world.send(["SET", world.keys.queuePause("a"), ""]);
      const { isPaused, claims } = await open(world.drain(), slots(3), { queues: ["a", "b"] });
      expect({ isPaused, raws: raws(claims) }).toEqual({ isPaused: true, raws: [payload(1)] });
      expect(await world.queued("a")).toEqual([payload(0)]);
    });

    test("settles in spite of a pause", async () => {
      const drain = world.drain();
      await world.push("q", ...payloads(2));
      const { claims } = await open(drain, [0]);
      await world.send(["SET", world.keys.pauseAll, "true"]);
      const { reply } = await exchange(drain, { seq: 2, settle: claims.map(ok), fill: [0] });
      expect(reply.slice(1, 6)).toEqual([1, 1, 1, [], []]);
      expect(await world.get(world.keys.processed)).toBe("1");
    });
  });

  describe("byte limit", () => {
    const big = (n: number): string => payload(n, "x".repeat(100));
    const bytes = big(0).length;

    test("pushes back what goes beyond it, in order, and says that there is more", async () => {
      const drain = world.drain();
      await world.push("q", ...[0, 1, 2, 3, 4].map(big));
      const { claims, isDrained } = await open(drain, slots(4), { context: { maxClaimBytes: 2 * bytes } });
      expect(raws(claims)).toEqual([big(0), big(1)]);
      expect(isDrained).toBe(false);
      expect(await world.queued("q")).toEqual([2, 3, 4].map(big));
    });

    test("claims a payload alone that is larger by itself", async () => {
      const drain = world.drain();
      await world.push("q", big(0), big(1));
      const { claims } = await open(drain, slots(4), { context: { maxClaimBytes: 1 } });
      expect(raws(claims)).toEqual([big(0)]);
      expect(await world.queued("q")).toEqual([big(1)]);
    });

    test("holds over several queues", async () => {
      const drain = world.drain({ slots: 8 });
      await world.push("a", big(0), big(1));
      await world.push("b", big(2), big(3), big(4));
      const { claims } = await open(drain, slots(8), { queues: ["a", "b"], context: { maxClaimBytes: 3 * bytes } });
      expect(raws(claims)).toEqual([0, 1, 2].map(big));
      expect(await world.queued("b")).toEqual([3, 4].map(big));
    });

    test("holds for known classes", async () => {
      const drain = world.drain();
      const other = '{"class":"Other","args":[]}';
      await world.push("q", big(0), other, big(1), big(2), big(3));
      const { claims, isDrained } = await open(drain, slots(4), {
        context: { maxClaimBytes: 2 * bytes, onlyClasses: ["Noop"] },
      });
      expect(raws(claims)).toEqual([big(0), big(1)]);
      expect(isDrained).toBe(false);
      expect((await world.queued("q")).toSorted()).toEqual([other, big(2), big(3)].toSorted());
    });
  });

  describe("known classes", () => {
    const other = (n: number): string => `{"class":"Other","args":[${n}]}`;
    const context = { onlyClasses: ["Noop", "A\u00e9"] };

    test.each([
      ["in front", [other(1), other(2), payload(1), payload(2)], [other(1), other(2)]],
      ["in the middle", [payload(1), other(1), payload(2), other(2)], [other(1), other(2)]],
      ["at the end", [payload(1), payload(2), other(1)], [other(1)]],
      ["alone", [other(1), other(2)], [other(1), other(2)]],
    ])("leaves jobs of other classes %s where they are", async (_where, queue, left) => {
      await world.push("q", ...queue);
      const { claims, isDrained } = await open(world.drain(), slots(4), { context });
      expect(raws(claims)).toEqual(queue.filter((raw) => !left.includes(raw)));
      expect(isDrained).toBe(true);
      expect(await world.queued("q")).toEqual(left);
    });

    test("takes identical payloads one at a time, each once", async () => {
      await world.push("q", payload(1), other(1), payload(1), other(1), payload(1));
      const { claims } = await open(world.drain(), slots(2), { context });
      expect(raws(claims)).toEqual([payload(1), payload(1)]);
      expect((await world.queued("q")).toSorted()).toEqual([payload(1), other(1), other(1)].toSorted());
    });

    test("reads the class wherever and however it is written", async () => {
      const own = [
        '{"args":[{"class":"Other"}],"class":"Noop"}',
        '{"class":"A\\u00e9"}',
        ' {"class" : "Noop"}',
        '{"class":"Aé"}',
        // The last one counts, as in every reader of JSON.
        '{"class":"Other","args":[],"class":"Noop"}',
        '{"class":"Other","cl\\u0061ss":"Noop","args":[]}',
      ];
      const foreign = [
        '{"class":"Noop","class":"Other"}',
        '{"class":"Noop","args":[],"\\u0063lass":"Other"}',
        '{"args":[{"class":"Noop"}],"class":"Other"}',
        '{"class":"Noo\\u0070s","args":[]}',
      ];
      await world.push("q", foreign[0] as string, ...own, ...foreign.slice(1));
      const { claims } = await open(world.drain({ slots: 6 }), slots(6), { context });
      expect(raws(claims)).toEqual(own);
      expect(await world.queued("q")).toEqual(foreign);
    });

    test("takes what is no job, for it to end in failed", async () => {
      const broken = ["not json", "null", "[]", '{"class":1}'];
      await world.push("q", ...broken, other(1));
      const { claims } = await open(world.drain(), slots(4), { context });
      expect(raws(claims)).toEqual(broken);
    });

    test("goes on to the next queue behind jobs of other classes", async () => {
      await world.push("a", other(1));
      await world.push("b", payload(1));
      const { claims } = await open(world.drain(), slots(2), { context, queues: ["a", "b"] });
      expect(raws(claims)).toEqual([payload(1)]);
      expect(await world.queued("a")).toEqual([other(1)]);
    });
  });

  describe("a refused command in the middle", () => {
    test.each([
      ["workers", "SADD"],
      ["heartbeats", "HSET"],
      ["drains", "ZADD"],
    ] as const)("of a wrong type at %s (%s) leaves the jobs in their queue", async (key, _command) => {
      const drain = world.drain();
      await world.push("a", ...payloads(2));
      await world.push("b", payload(2));
      await world.send(["SET", world.keys[key], "no such type"]);
      const { call, read } = prepare(drain, { fill: slots(4), isOpening: true, queues: ["a", "b"] });
      const reply = (await world.client.script(call)) as Reply;
      expect(reply[6]).toEqual([]);
      expect(reply[9]).toContain("WRONGTYPE");
      expect(() => read(reply)).toThrow(/refused to hand out jobs/);
      expect(await world.queued("a")).toEqual(payloads(2));
      expect(await world.queued("b")).toEqual([payload(2)]);
      for (const slot of drain.own.slots) expect(await world.get(slot)).toBeNull();
    });

    test("tells which of the queues hold something else, and what", async () => {
      await world.push("a", payload(0));
      await world.send(["SADD", world.keys.queue("b"), "x"], ["SET", world.keys.queue("d"), "x"]);
      const { call, read } = prepare(world.drain(), { fill: slots(4), isOpening: true, queues: ["a", "b", "c", "d"] });
      const reply = (await world.client.script(call)) as Reply;
      expect(() => read(reply)).toThrow(/WRONGTYPE.* \(resque:queue:b is a set\) \(resque:queue:d is a string\)/);
      expect(String(reply[9])).not.toMatch(/queue:[ac]/);
    });

    test("settles all the same when handing out is refused", async () => {
      const drain = world.drain();
      await world.push("q", payload(0));
      const { claims } = await open(drain, [0]);
      await world.send(["SET", world.keys.queue("bad"), "no list"]);
      const { call } = prepare(drain, { seq: 2, settle: claims.map(ok), fill: [0], queues: ["bad"] });
      const reply = (await world.client.script(call)) as Reply;
      expect(reply[9]).toContain("WRONGTYPE");
      expect(await world.get(world.keys.processed)).toBe("1");
      expect(await world.get(drain.own.slots[0] as string)).toBeNull();
    });

    test.each(["processed", "failures", "failed"] as const)(
      "of a wrong type at %s settles and claims nothing",
      async (key) => {
        const drain = world.drain();
        await world.push("q", ...payloads(2));
        const { claims } = await open(drain, [0]);
        await world.send(["DEL", world.keys[key]], ["SADD", world.keys[key], "no such type"]);
        const { call } = prepare(drain, { seq: 2, settle: [failed(at(claims, 0))], fill: [0] });
        await expect(world.client.script(call)).rejects.toMatchObject({ name: "StoreError", reason: "rejected" });
        expect(await world.get(drain.own.slots[0] as string)).toBe(entry(at(claims, 0), payload(0)));
        expect(await world.queued("q")).toEqual([payload(1)]);
      },
    );
  });

  test("serves 1,000 running jobs and the 500 in hand beside them", async () => {
    const drain = world.drain({ slots: 1_500 });
    await world.push("q", ...payloads(3_000));
    const { claims } = await open(drain, slots(1_500));
    const next = await exchange(drain, { seq: 2, settle: claims.map((c) => failed(c)), fill: slots(1_500) });
    expect(next.claims).toHaveLength(1_500);
    await exchange(drain, { seq: 3, settle: next.claims.map(released) });
    expect(await world.queued("q")).toEqual(payloads(1_500, 1_500));
  });
}
