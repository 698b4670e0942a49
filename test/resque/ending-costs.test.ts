import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createStatusPolicy } from "../../src/core/job-status.ts";
import { createRegistry } from "../../src/core/registry.ts";
import { toHeartbeat } from "../../src/resque/time-format.ts";
import {
  ok,
  openWorld,
  payload,
  slots,
  type TestDrain,
  type TestDrainOptions,
  type World,
} from "../conformance/world.ts";
import { setups } from "../support/setups.ts";

const HASH = "0123456789abcdefghijkl";
/** Jobs whose next crash is their last, and others; with a status, a lock, and both. */
const OWNS = [
  ...['{"crashes":2}', '{"crashes":1}', '{"crashes":2,"id":"a"}', '{"id":"b"}'],
  ...[`{"crashes":2,"unique":"${HASH}.d0123456789ab"}`, `{"crashes":2,"unique":"${HASH}.dffffffffffff","id":"c"}`],
];
const jobs = OWNS.map((own) => `{"class":"Noop","args":[],"airlift":${own}}`);

describe.each(setups().filter(({ server }) => server === "redis-server"))(
  "what the end of a drain costs over $name",
  (kind) => {
    let world: World;
    beforeAll(async () => {
      world = await openWorld(kind);
      // Loads the scripts, so that no test pays for it.
      await die({}, [payload(1)]);
      await recover({});
      await (await claim({}, [payload(1)])).store.close();
    });
    afterAll(() => world[Symbol.asyncDispose]());
    beforeEach(() => world.flush());

    const claim = async (options: TestDrainOptions, ...lists: readonly (readonly string[])[]): Promise<TestDrain> => {
      const queues = ["q", "r"].slice(0, lists.length);
      for (const [index, list] of lists.entries()) await world.push(queues[index] as string, ...list);
      const drain = world.drain({ slots: 24, queues, ...options });
      await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: slots(options.slots ?? 24) });
      return drain;
    };
    const die = async (options: TestDrainOptions, ...lists: readonly (readonly string[])[]): Promise<TestDrain> => {
      const drain = await claim(options, ...lists);
      await world.endLeases();
      return drain;
    };
    /** What a call costs, as the server counts and as the drain does. */
    const cost = async ({ store }: TestDrain, call: () => Promise<unknown>): Promise<number> => {
      const before = store.usage.commands;
      await world.countCommands();
      await call();
      const commands = await world.countCommands();
      expect(store.usage.commands - before).toBe(commands);
      return commands;
    };
    const recover = async (options: TestDrainOptions): Promise<readonly [commands: number, recovered: unknown]> => {
      const drain = world.drain({ queues: ["q", "r"], ...options });
      const [dead] = (await drain.store.survey()).dead;
      if (!dead) throw new Error("no drain is dead");
      let recovered: unknown;
      const commands = await cost(drain, async () => {
        recovered = await drain.store.recover(dead);
      });
      return [commands, recovered];
    };

    // read-slots: EVALSHA, MGET; recover-drain: EVALSHA, ZSCORE, EXISTS, MGET, DEL, SREM, 3 HDEL, ZREM
    const LEAST = 12;
    test.each<[string, readonly (readonly string[])[], TestDrainOptions, number]>([
      ["one job: LPUSH, SADD", [[payload(1)]], {}, 2],
      ["jobs of two queues: 2 LPUSH, SADD", [[payload(1), payload(2)], [payload(3)]], {}, 3],
      ["a job that is over: 2 INCRBY, RPUSH", [jobs.slice(0, 1)], {}, 3],
      ["… to a list of its queue: SADD", [jobs.slice(0, 1), jobs.slice(0, 1)], { failedQueues: true }, 6],
      ["… that has grown too long: LTRIM", [[...jobs.slice(0, 1), ...jobs.slice(0, 1)]], { maxFailed: 1 }, 4],
      ["statuses: GET and SET for each", [[jobs[2] as string, jobs[3] as string]], {}, 5 + 4],
      ["a lock: MGET to find it, MGET and DEL", [jobs.slice(4, 5)], {}, 3 + 3],
      ["a lock that is another's: no DEL", [jobs.slice(5)], {}, 3 + 2 + 2],
      ["all of these", [jobs, [payload(1)]], { failedQueues: true, maxFailed: 1 }, 2 + 1 + 1 + 1 + 3 + 6 + 3],
    ])("recovering %s", async (_title, lists, options, more) => {
      await die({}, ...lists);
      await world.send(["SET", `resque:airlift:unique:Noop:${HASH}`, "9999999999.d0123456789ab"]);
      const status = createStatusPolicy({ ttlMs: 60_000 }, []);
      expect((await recover({ ...options, status }))[0]).toBe(LEAST + more);
      expect(await world.get(`resque:airlift:unique:Noop:${HASH}`)).toBe(
        lists.flat().includes(jobs[4] as string) ? null : "9999999999.d0123456789ab",
      );
    });

    test.each([
      ["but has heard of it: HMGET", 290, LEAST + 2 + 1],
      ["it, too: HMGET, and no more", 301, 6],
    ])("recovering a drain while Ruby prunes %s", async (_title, silentSeconds, commands) => {
      const { own } = await die({}, [payload(1)]);
      const [time] = await world.send(["TIME"]);
      const beatMs = (Number((time as string[])[0]) - silentSeconds) * 1_000;
      const beats = own.ids.flatMap((id) => [id, toHeartbeat(beatMs)]);
      await world.send(["SET", world.keys.pruning, "web1:1:q"], ["HSET", world.keys.heartbeats, ...beats]);
      expect((await recover({}))[0]).toBe(commands);
    });

    test("recovering a drain that lives: as the server counts", async () => {
      const drain = await die({}, [payload(1)]);
      const other = world.drain();
      const [dead] = (await other.store.survey()).dead;
      if (!dead) throw new Error("no drain is dead");
      await drain.store.exchange({ seq: 2, attempt: 1, settle: [], fill: [], beat: [] });
      expect(await cost(other, () => other.store.recover(dead))).toBe(4);
    });

    test("recovering a drain that held nothing any more: as the server counts", async () => {
      const drain = await die({}, [payload(1)]);
      const other = world.drain();
      const [dead] = (await other.store.survey()).dead;
      if (!dead) throw new Error("no drain is dead");
      const held = drain.own.slots[0] as string;
      await world.send(["DEL", held]);
      expect(await cost(other, () => other.store.recover(dead))).toBe(LEAST);
    });

    const limited = createRegistry([{ class: "Noop", limit: { running: 99 }, perform: () => undefined }]);
    // EVALSHA, MGET, DEL, SREM, HDEL, ZREM
    test.each<[string, readonly (readonly string[])[], TestDrainOptions, number]>([
      ["nothing in hand", [[payload(1)]], {}, 6],
      ["an app with limits: HDEL", [[payload(1)]], { registry: limited }, 7],
    ])("closing with %s", async (_title, lists, options, commands) => {
      await world.push("q", ...(lists[0] ?? []));
      const drain = world.drain(options);
      const { claims } = await drain.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
      await drain.store.exchange({ seq: 2, attempt: 1, settle: claims.map(ok), fill: [] });
      expect(await cost(drain, drain.store.close)).toBe(commands);
    });

    test.each([
      [{}, 6],
      [{ registry: limited }, 7],
    ])("closing with jobs of two queues: an LPUSH for each, SADD, %o", async (options, least) => {
      const drain = await claim(options, [payload(1), payload(2)], [payload(3)]);
      expect(await cost(drain, drain.store.close)).toBe(least + 4);
    });

    test.each([
      ["some", ["q"], 2 + 3 + 2],
      ["all", ["q", "r"], 2 + 3],
    ] as const)(
      "closing when %s of the queues take nothing: as the server counts",
      async (_title, broken, commands) => {
        const drain = await claim({ slots: 3 }, [payload(1), payload(2)], [payload(3)]);
        for (const queue of broken) await world.send(["SET", world.keys.queue(queue), "x"]);
        expect(await cost(drain, drain.store.close)).toBe(commands);
      },
    );
  },
);
