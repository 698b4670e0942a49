import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Claim, ExchangeParams, Settlement } from "../../src/core/store.ts";
import type { RedisClient, ScriptCall } from "../../src/resque/client.ts";
import { exchange as exchangeScript } from "../../src/resque/generated/exchange.generated.ts";
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

const first: ExchangeParams = { seq: 1, attempt: 1, settle: [], fill: [] };

/** What core/drain.ts relies on in a store (core/store.ts), over one way to reach Redis. */
export function describeDrainStore(kind: Setup): void {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());
  beforeEach(() => world.flush());

  describe("looking for work", () => {
    test("none in an empty Redis, for one command", async () => {
      const { store } = world.drain({ queues: ["a", "b"] });
      expect(await store.hasWork()).toBe(false);
      expect(store.usage).toEqual({ commands: 1, requests: 1 });
    });

    test("a queued job is work", async () => {
      await world.push("b", payload(1));
      const { store } = world.drain({ queues: ["a", "b"] });
      expect([await store.hasWork(), await store.hasQueued()]).toEqual([true, true]);
    });

    test("a job in another queue is none", async () => {
      await world.push("other", payload(1));
      const { store } = world.drain({ queues: ["a", "b"] });
      expect([await store.hasWork(), await store.hasQueued()]).toEqual([false, false]);
    });

    test("a drain that may have died is work, but nothing queued", async () => {
      await world.push("q", payload(1));
      await world.drain().store.exchange({ ...first, fill: [0] });
      const { store } = world.drain();
      expect([await store.hasWork(), await store.hasQueued()]).toEqual([true, false]);
    });

    test("patterns are looked up in the set of queues", async () => {
      const { store } = world.drain({ queues: ["img-*", "!img-slow"] });
      expect(await store.hasWork()).toBe(false);
      await world.push("img-slow", payload(1));
      expect(await store.hasWork()).toBe(false);
      await world.push("img-a", payload(1));
      expect(await store.hasWork()).toBe(true);
    });

    test("counts what is queued, paused or not", async () => {
      await world.push("a", ...payloads(3));
      await world.push("b", payload(1));
      await world.send(["SET", world.keys.queuePause("b"), "true"]);
      expect(await world.drain({ queues: ["a", "b", "c"] }).store.countQueued()).toBe(4);
    });
  });

  describe("exchanging", () => {
    test("claims are jobs as they were written, with what could be read of them", async () => {
      await world.push("q", '{"class":"A","args":[12345678901234567890,{"x":[]}],"queue":"q"}', "[1]");
      const { store } = world.drain({ id: "d" });
      const { claims, ...rest } = await store.exchange({ ...first, fill: slots(4) });
      expect(rest).toEqual({ lost: [], isRegistered: true, isDrained: true, isPaused: false, isLimited: false });
      expect(claims.map(({ slot, queue, job }) => ({ slot, queue, job }))).toEqual([
        {
          slot: 0,
          queue: "q",
          job: {
            kind: "job",
            class: "A",
            args: [12345678901234567890n, { x: [] }],
            raw: '{"class":"A","args":[12345678901234567890,{"x":[]}],"queue":"q"}',
            attempt: 1,
            retries: 0,
          },
        },
        {
          slot: 1,
          queue: "q",
          job: { kind: "malformed", raw: "[1]", reason: expect.stringContaining("an array"), isBinary: false },
        },
      ]);
      for (const { token } of claims) expect(token).toMatch(/^d\./);
    });

    test("bytes that are no UTF-8 are told from a genuine U+FFFD", async () => {
      await world.push(
        "q",
        payload("\uFFFD"),
        Buffer.from([...Buffer.from('{"class":"A","args":["'), 0xff, 0x22, 0x5d, 0x7d]),
      );
      const { claims } = await world.drain().store.exchange({ ...first, fill: slots(2) });
      expect(claims.map(({ job }) => (job.kind === "job" ? job.args : job.isBinary))).toEqual([["\uFFFD"], true]);
    });

    test("… also among many, and of megabytes", async () => {
      const big = payload(`\uFFFD${"x".repeat(600_000)}`);
      const broken = Buffer.from(payload("~~~"));
      broken[broken.indexOf("~")] = 0xff;
      await world.push("q", big, payload(1), broken, payload("\uFFFD"), big, broken);
      const { claims } = await world.drain({ slots: 6 }).store.exchange({ ...first, fill: slots(6) });
      expect(claims.map(({ job }) => job.kind)).toEqual(["job", "job", "malformed", "job", "job", "malformed"]);
    });

    test("a drain that finds nothing is not registered, and is not taken for a lost one", async () => {
      const { store } = world.drain();
      expect(await store.exchange({ ...first, fill: slots(2) })).toMatchObject({ isRegistered: true, isDrained: true });
      await store.close();
      expect(await world.keyNames()).toEqual([world.keys.processed]);
    });

    test("may begin to claim in a later exchange", async () => {
      const { store } = world.drain();
      await store.exchange({ ...first, fill: slots(2) });
      await world.push("q", payload(1));
      const { claims } = await store.exchange({ ...first, seq: 2, fill: slots(2) });
      expect(raws(claims)).toEqual([payload(1)]);
    });

    test("tells that it was recovered, and what it could not settle", async () => {
      await world.push("q", ...payloads(2));
      const { store } = world.drain();
      const { claims } = await store.exchange({ ...first, fill: slots(2) });
      await world.endLeases();
      const other = world.drain();
      for (const dead of (await other.store.survey()).dead) await other.store.recover(dead);
      const settle = claims.map(ok);
      const result = await store.exchange({ ...first, seq: 2, settle, fill: slots(2) });
      expect(result).toMatchObject({ isRegistered: false, claims: [], lost: settle });
      expect(await world.queued("q")).toHaveLength(2);
      expect(await world.get(world.keys.processed)).toBe("0");
    });

    test("adapts how much it claims to the sizes it has seen, and grows again", async () => {
      const big = (n: number): string => payload(n, "x".repeat(1_000));
      await world.push("q", ...Array.from({ length: 6 }, (_, n) => big(n)), ...payloads(40));
      const { store } = world.drain({ slots: 20, maxClaimBytes: 2_100 });
      const sizes: number[] = [];
      let settle: Claim[] = [];
      for (let seq = 1; sizes.at(-1) !== 0; seq++) {
        const { claims } = await store.exchange({ ...first, seq, settle: settle.map(ok), fill: slots(20) });
        sizes.push(claims.length);
        settle = [...claims];
      }
      expect(sizes.slice(0, 3)).toEqual([2, 2, 2]);
      expect(sizes.reduce((sum, size) => sum + size)).toBe(46);
      expect(Math.max(...sizes)).toBeGreaterThan(10);
    });

    test("takes each job of a requeued queue at most twice", async () => {
      const { store } = world.drain({ slots: 4 });
      await world.push("q", ...payloads(10));
      let settle: readonly Claim[] = [];
      const seen: string[] = [];
      for (let seq = 1; seq === 1 || settle.length > 0; seq++) {
        expect(seq).toBeLessThan(30);
        const { claims } = await store.exchange({ ...first, seq, settle: settle.map(requeued), fill: slots(4) });
        settle = claims;
        seen.push(...raws(claims));
      }
      expect(new Set(seen)).toEqual(new Set(payloads(10)));
      expect(seen.length).toBeLessThanOrEqual(20);
      expect((await world.queued("q")).toSorted()).toEqual(payloads(10).toSorted());
    });
  });

  test("a requeued queue is tried again a minute after each of its jobs has been seen, as a drain may last long", async () => {
    let nowMs = NOW_MS;
    const { store } = world.drain({ nowMs: () => nowMs });
    let seq = 0;
    const exchange = async (settle: readonly Settlement[]): Promise<readonly Claim[]> =>
      (await store.exchange({ ...first, seq: ++seq, settle, fill: [0, 1] })).claims;
    const sweep = async (): Promise<readonly string[]> => {
      const seen: string[] = [];
      for (let claims = await exchange([]); claims.length > 0; claims = await exchange(claims.map(requeued))) {
        seen.push(...raws(claims));
        if (seen.length > 20) throw new Error("it goes on and on");
      }
      return seen;
    };
    await world.push("q", ...payloads(3));
    expect(new Set(await sweep())).toEqual(new Set(payloads(3)));
    await world.push("q", payload(3));
    nowMs += 59_000;
    expect(await sweep()).toEqual([]);
    nowMs += 1_000;
    expect(new Set(await sweep())).toEqual(new Set(payloads(4)));
    expect(await sweep()).toEqual([]);
  });

  describe("repeating", () => {
    /** A client that can lose replies, and that can send a call again later, as a network does. */
    const unreliable = () => {
      const sent: ScriptCall[] = [];
      let lose = 0;
      const client: RedisClient = {
        description: "unreliable",
        command: (command, options) => world.client.command(command, options),
        pipeline: (items, options) => world.client.pipeline(items, options),
        transaction: (commands, options) => world.client.transaction(commands, options),
        close: async () => undefined,
        async script(call, options) {
          sent.push(call);
          const reply = await world.client.script(call, options);
          if (lose-- > 0) throw new Error("the reply was lost");
          return reply;
        },
      };
      const resend = (index: number) =>
        world.client.script(sent.filter((c) => c.script === exchangeScript)[index] as ScriptCall);
      return { client, resend, loseNext: () => (lose = 1) };
    };

    test("after a lost reply returns what the lost request claimed, and settles once", async () => {
      const net = unreliable();
      const { store } = world.drain({ client: net.client, slots: 6 });
      await world.push("q", ...payloads(20));
      const { claims } = await store.exchange({ ...first, fill: slots(6) });
      const kinds = [ok, failed, released, requeued];
      const params = { ...first, seq: 2, settle: claims.map((c, i) => (kinds[i] ?? ok)(c)), fill: slots(6) };
      net.loseNext();
      await expect(store.exchange(params)).rejects.toThrow("lost");
      const before = await world.everything();
      const result = await store.exchange({ ...params, attempt: 2 });
      expect(result.lost).toEqual([]);
      expect(raws(result.claims)).toEqual([payload(2), ...payloads(5, 6)]);
      expect(await world.everything()).toEqual(before);
      expect(await world.get(world.keys.processed)).toBe("4");
    });

    test("after a lost opening returns what it claimed", async () => {
      const net = unreliable();
      const { store } = world.drain({ client: net.client });
      await world.push("q", ...payloads(5));
      net.loseNext();
      await expect(store.exchange({ ...first, fill: slots(3) })).rejects.toThrow("lost");
      const { claims, isRegistered } = await store.exchange({ ...first, attempt: 2, fill: slots(3) });
      expect([raws(claims), isRegistered]).toEqual([payloads(3), true]);
      expect(await world.queued("q")).toEqual(payloads(2, 3));
    });

    test("a drain that never learned of its opening closes without a trace", async () => {
      const net = unreliable();
      const { store } = world.drain({ client: net.client });
      await world.push("q", ...payloads(2));
      net.loseNext();
      await expect(store.exchange({ ...first, fill: slots(2) })).rejects.toThrow("lost");
      expect(await store.close()).toEqual({ released: 2 });
      expect(await world.keyNames()).toEqual(["resque:queue:q", "resque:queues", "resque:stat:processed"]);
    });

    test("a late duplicate after the close claims nothing", async () => {
      const net = unreliable();
      const { store } = world.drain({ client: net.client });
      await world.push("q", payload(0));
      const { claims } = await store.exchange({ ...first, fill: [0] });
      await store.exchange({ ...first, seq: 2, settle: claims.map(ok), fill: [0] });
      await store.close();
      await world.push("q", payload(1));
      const before = await world.everything();
      await net.resend(1);
      expect(await world.everything()).toEqual(before);
    });

    test("what a late duplicate of the opening claims after the close is recovered", async () => {
      const net = unreliable();
      const { store } = world.drain({ client: net.client });
      await world.push("q", payload(0));
      const { claims } = await store.exchange({ ...first, fill: [0] });
      await store.exchange({ ...first, seq: 2, settle: claims.map(ok), fill: [] });
      await store.close();
      await world.push("q", payload(1));
      await net.resend(0);
      await world.endLeases();
      const next = world.drain();
      for (const dead of (await next.store.survey()).dead) await next.store.recover(dead);
      expect(await world.queued("q")).toEqual([expect.stringContaining('"args":[1]')]);
    });

    test("a job that a late duplicate claimed is not settled in the place of the one before it", async () => {
      const net = unreliable();
      const { store } = world.drain({ client: net.client });
      // The first try of exchange 1 is slow: the client gives it up, repeats it, and gets job A.
      await world.push("q", payload("A"));
      const one = await store.exchange({ ...first, fill: [0] });
      const attempts = [{ ...first, seq: 2, settle: one.claims.map(ok), fill: [0] }];
      await world.push("q", payload("B"));
      net.loseNext();
      await expect(store.exchange(attempts[0] as ExchangeParams)).rejects.toThrow("lost");
      const two = await store.exchange({ ...(attempts[0] as ExchangeParams), attempt: 2 });
      expect(raws(two.claims)).toEqual([payload("B")]);
      // B ends; its settlement takes effect, but its reply is lost.
      const settleB = { ...first, seq: 3, settle: two.claims.map(ok), fill: [] };
      net.loseNext();
      await expect(store.exchange(settleB)).rejects.toThrow("lost");
      // Now a copy of exchange 2 arrives, which takes C into the free slot; then exchange 3 is repeated.
      await world.push("q", payload("C"));
      await net.resend(2);
      await store.exchange({ ...settleB, attempt: 2 });
      const { claims } = await store.exchange({ ...first, seq: 4, fill: [0] });
      expect([...raws(claims), ...(await world.queued("q"))]).toEqual([payload("C")]);
    });
  });

  describe("closing and recovering", () => {
    test("close gives back what is in slots, and may be repeated", async () => {
      const { store } = world.drain();
      await world.push("q", ...payloads(3));
      await store.exchange({ ...first, fill: slots(2) });
      expect(await store.close()).toEqual({ released: 2 });
      expect(await store.close()).toEqual({ released: 0 });
      expect(await world.queued("q")).toEqual(payloads(3));
    });

    test("what is given back is found in all queues, though somebody has taken its queue out of them while it was empty", async () => {
      const ways = [
        ["close", async ({ store }: TestDrain) => void (await store.close())],
        ["release", ({ store }: TestDrain, [claim]: readonly Claim[]) => end(store, released(claim as Claim))],
        ["requeue", ({ store }: TestDrain, [claim]: readonly Claim[]) => end(store, requeued(claim as Claim))],
        [
          "recover",
          async () => {
            await world.endLeases();
            const { store } = world.drain();
            for (const dead of (await store.survey()).dead) await store.recover(dead);
          },
        ],
      ] as const;
      const end = async (store: TestDrain["store"], settlement: Settlement): Promise<void> => {
        await store.exchange({ seq: 2, attempt: 1, settle: [settlement], fill: [] });
      };
      for (const [name, giveBack] of ways) {
        await world.flush();
        await world.push('é"', payload(1));
        const drain = world.drain({ queues: ["*"] });
        await drain.store.hasWork();
        const { claims } = await drain.store.exchange({ ...first, fill: [0] });
        // As `Resque.remove_queue` does.
        await world.send(["SREM", world.keys.queues, 'é"']);
        await giveBack(drain, claims);
        expect([name, await world.queued('é"')]).toEqual([name, [expect.stringContaining('"args":[1]')]]);
        expect([name, await world.drain({ queues: ["*"] }).store.hasQueued()]).toEqual([name, true]);
      }
    });

    test("two drains share a queue, each job in one of them", async () => {
      await world.push("q", ...payloads(40));
      const [a, b] = [world.drain({ slots: 30 }), world.drain({ slots: 30 })];
      const results = await Promise.all([a, b].map(({ store }) => store.exchange({ ...first, fill: slots(30) })));
      const claims = results.flatMap((result) => raws(result.claims));
      expect(claims.toSorted()).toEqual(payloads(40).toSorted());
    });

    test("a survey finds the dead drains, a recovery gives back their jobs once", async () => {
      await world.push("q", ...payloads(3));
      for (const { store } of [world.drain(), world.drain(), world.drain()])
        await store.exchange({ ...first, fill: [0] });
      const { store } = world.drain();
      expect((await store.survey()).dead).toEqual([]);
      await world.endLeases();
      const { dead } = await store.survey();
      expect(dead).toHaveLength(3);
      for (const one of dead) expect(await store.recover(one)).toEqual({ requeued: 1, failed: 0 });
      for (const one of dead) expect(await store.recover(one)).toEqual({ requeued: 0, failed: 0 });
      expect((await world.queued("q")).map((raw) => raw.slice(0, 25)).toSorted()).toEqual(
        payloads(3).map((raw) => raw.slice(0, 25)),
      );
    });
  });
}
