import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AirliftAdmin, createAdmin } from "../../../src/admin.ts";
import type { RedisClient } from "../../../src/resque/client.ts";
import { readStatus } from "../../../src/resque/status.ts";
import { setups } from "../../support/setups.ts";
import { type AdminWorld, idOf, openAdminWorld } from "./admin-world.ts";
import { WRITERS } from "./failed-entries.ts";

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
// Only a real redis-server counts its commands.
const [setup] = setups().filter(({ name }) => name === "redis-server-tcp");
const LATER = 9_000_000_000_000;
const worker = "vm:1:q";

type Cost = readonly [what: string, commands: number, run: (admin: AirliftAdmin) => Promise<unknown>];

/** As docs/keys.md has them. */
const COSTS: readonly Cost[] = [
  ["queues.list, of two", 4, (admin) => admin.queues.list()],
  ["queues.peek", 3, (admin) => admin.queues.peek("q")],
  ["queues.removeJobs, one", 3 + 5, (admin) => admin.queues.removeJobs("q", { class: "A", args: [1] })],
  ["queues.clear", 4, (admin) => admin.queues.clear("q")],
  ["queues.remove", 5, (admin) => admin.queues.remove("q")],
  ["workers.list", 4, (admin) => admin.workers.list()],
  ["workers.drains, none", 3, (admin) => admin.workers.drains()],
  ["workers.prune, at work", 4 + 8, (admin) => admin.workers.prune(worker)],
  ["workers.prune, not there", 4 + 4, (admin) => admin.workers.prune("vm:2:q")],
  ["failed.lists", 2, (admin) => admin.failed.lists()],
  ["failed.list", 3, (admin) => admin.failed.list()],
  ["failed.list, by a filter", 3, (admin) => admin.failed.list({ class: "Boom" })],
  ["failed.retry, one", 3 + 6, (admin) => admin.failed.retry({ ids: [idOf(WRITERS.ruby(1))] })],
  ["failed.retry, five of two queues", 3 + 3 + 1 + 5 + 2, (admin) => admin.failed.retry({ all: true })],
  ["failed.remove, one", 3 + 5, (admin) => admin.failed.remove({ ids: [idOf(WRITERS.ruby(1))] })],
  ["failed.clear", 2, (admin) => admin.failed.clear()],
  ["retries.list", 3, (admin) => admin.retries.list()],
  ["retries.count", 1, (admin) => admin.retries.count()],
  ["retries.run, all", 3 + 4, (admin) => admin.retries.run({ all: true })],
  ["retries.remove, one", 3 + 4, (admin) => admin.retries.remove({ ids: ["1"] })],
  ["retries.remove, all, one of which has a place", 3 + 4 + 1, (admin) => admin.retries.remove({ all: true })],
  ["pause, everything", 1, (admin) => admin.pause()],
  ["pause, a class", 3, (admin) => admin.pause({ class: "A" })],
  ["resume, a queue", 1, (admin) => admin.resume({ queue: "q" })],
  ["paused", 3, (admin) => admin.paused()],
];

describe.skipIf(!setup)("what the admin API costs", () => {
  let world: AdminWorld;
  /** What the client was told that it spends. */
  let told = 0;
  let admin: AirliftAdmin;

  beforeAll(async () => {
    if (!setup) throw new Error("no redis-server");
    world = await openAdminWorld(setup);
    const { client } = world;
    const counted: RedisClient = {
      ...{ description: client.description, close: () => client.close() },
      command(...call) {
        told++;
        return client.command(...call);
      },
      pipeline(...call) {
        told += call[0].length;
        return client.pipeline(...call);
      },
      transaction(...call) {
        told += call[0].length;
        return client.transaction(...call);
      },
      async script(...call) {
        const reply = await client.script(...call);
        told += (reply as [number])[0];
        return reply;
      },
    };
    admin = createAdmin({ ...world.context, client: counted }, undefined);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const fill = async (): Promise<void> => {
    const { keys } = world;
    await world.flush();
    await world.push("q", ...range(3).map((n) => `{"class":"A","args":[${n}]}`));
    await world.push("r", "{}");
    await world.fail([...Object.values(WRITERS).map((write) => write(1)), WRITERS.node(2)]);
    const member = (n: number, more = ""): string =>
      `{"id":"${n}","queue":"q","attempt":2${more},"payload":{"class":"A","args":[${n}]}}`;
    const withPlace = member(2, ',"detached":true,"limited":true');
    await world.send(["ZADD", keys.retries, LATER, member(1), LATER, withPlace]);
    await world.send(
      ["SADD", keys.workers, worker],
      ["SET", keys.worker(worker), '{"queue":"q","payload":{"class":"A"}}'],
    );
  };

  test.each(COSTS)("%s: %i commands, as its scripts say and as the server counts", async (_what, commands, run) => {
    // Once before, so that the server knows the scripts.
    await fill();
    await run(admin);
    await fill();
    await world.countCommands();
    told = 0;
    await run(admin);
    expect({ counted: await world.countCommands(), told }).toEqual({ counted: commands, told: commands });
  });

  test("the status: two requests, 7 commands, an LLEN for each queue, an MGET and an EXISTS", async () => {
    await fill();
    await world.countCommands();
    await readStatus(world.client, world.keys);
    expect(await world.countCommands()).toBe(7 + 2 + 1 + 1);
  });

  test("an app without a scheduler says so", async () => {
    await expect(admin.schedules.list()).rejects.toThrow(/schedules: this app has none; expected the option scheduler/);
  });
});
