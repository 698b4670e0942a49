import { expect, test } from "vitest";
import { holdDrain } from "../held-drain.ts";
import { describeBesideRuby } from "./describe-beside-ruby.ts";
import { besideRuby, eventually } from "./ruby-world.ts";

/** As a Ruby worker does when it starts, for each queue list that one may have. */
const PRUNE = `[["mail"], ["*"], ["other"]].each do |queues|
  plain_redis.del("resque:pruning_dead_workers_in_progress")
  Resque::Worker.new(*queues).prune_dead_workers
end
nil`;

describeBesideRuby("the dead of one side, as the other handles them", () => {
  const world = besideRuby();
  const hold = { class: "Hold", perform: () => undefined };
  const keysButPruning = async (): Promise<string[]> => {
    const names = await world.redis.keys("*");
    return names.filter((name) => !name.endsWith("pruning_dead_workers_in_progress")).sort();
  };
  /** As if nobody had heard of these workers for so long. */
  const silence = (ids: readonly string[], seconds: number): Promise<unknown> =>
    world.ruby(
      "args[0].each { |id| Resque.redis.hset('workers:heartbeat', id, (Resque.redis.server_time - args[1]).iso8601) }",
      ...[ids, seconds],
    );
  const drain = () => world.app({ queues: ["mail"], jobs: [hold] }).drain();
  const failures = (): Promise<{ exception: string; payload: { args: unknown[] }; worker: string }[]> =>
    world.ruby("Array(Resque::Failure.all(0, 100))");

  test("prune_dead_workers during a drain leaves its workers and their jobs alone", async () => {
    await world.ruby("3.times { |n| Resque.enqueue(Hold, n) }");
    const held = await holdDrain({ redis: world.client, queues: ["mail"] }, 2);
    world.cleanUp(async () => held.release());
    const { length } = await world.redis.smembers("resque:workers");
    const before = await keysButPruning();
    await world.ruby(PRUNE);
    // And a whole worker's start, on a host of another name.
    const worker = world.start(["worker.rb", "other"]);
    await eventually(async () => (await world.ruby("Resque.workers.size")) === length + 1);
    worker.signal("SIGQUIT");
    await worker.ended;
    expect(await keysButPruning()).toEqual(before);
    expect(await world.redis.scard("resque:workers")).toBe(length);
    held.release();
    expect(await held.report).toMatchObject({ stopped: "empty", succeeded: 3 });
    expect(await failures()).toEqual([]);
  });

  test("a drain is killed, Ruby prunes within 300 s: nothing happens, and our recovery runs the jobs", async () => {
    await world.ruby("2.times { |n| Resque.enqueue(Hold, n) }");
    const ids = await world.killDrain("mail", 2);
    await silence(ids, 299);
    await world.ruby(PRUNE);
    expect(await failures()).toEqual([]);
    expect(await world.ruby("Resque.working.size")).toBe(2);
    await world.endLeases();
    expect(await drain()).toMatchObject({ recovered: 2, succeeded: 2, failed: 0 });
    expect(await keysButPruning()).toEqual(["held", "resque:queues", "resque:stat:processed"]);
  });

  test("… our recovery first, then Ruby: it finds nothing to fail", async () => {
    await world.ruby("2.times { |n| Resque.enqueue(Hold, n) }");
    const ids = await world.killDrain("mail", 2);
    await silence(ids, 600);
    await world.endLeases();
    expect(await drain()).toMatchObject({ recovered: 2, succeeded: 2, failed: 0 });
    await world.ruby(PRUNE);
    expect(await failures()).toEqual([]);
    expect(await keysButPruning()).toEqual(["held", "resque:queues", "resque:stat:processed"]);
  });

  test("… Ruby first, after 300 s: each job is once in failed, runs no more by itself, and once when requeued", async () => {
    await world.ruby('2.times { |n| Resque.enqueue(Hold, n, 1.0, {"a" => []}) }');
    const payloads = await world.redis.lrange("resque:queue:mail", 0, -1);
    const ids = await world.killDrain("mail", 2);
    await silence(ids, 301);
    await world.ruby(PRUNE);
    const entries = await failures();
    expect(entries.map(({ payload }) => payload.args[0]).sort()).toEqual([0, 1]);
    for (const { exception, worker } of entries) {
      expect(exception).toBe("Resque::PruneDeadWorkerDirtyExit");
      expect(ids).toContain(worker);
    }
    expect(await world.redis.smembers("resque:workers")).toEqual([]);
    await world.endLeases();
    expect(await drain()).toMatchObject({ recovered: 0, claimed: 0, failed: 0 });
    expect(await keysButPruning()).toEqual(["held", "resque:failed", "resque:queues", "resque:stat:processed"]);
    await world.ruby("Resque::Failure.requeue_all");
    expect((await world.redis.lrange("resque:queue:mail", 0, -1)).sort()).toEqual(payloads);
    expect(await drain()).toMatchObject({ succeeded: 2 });
    expect(await failures()).toHaveLength(2);
  });

  test("… both at once: what Ruby is about to fail is left to it", async () => {
    const { redis } = world;
    await world.ruby("2.times { |n| Resque.enqueue(Hold, n) }");
    const ids = await world.killDrain("mail", 2);
    await silence(ids, 600);
    await world.endLeases();
    world.cleanUp(world.letGo);
    // Ruby writes a job to failed before it takes it from its worker: there it is held up.
    const pruned = world.ruby(`
      slow = Module.new { def save; super; sleep 0.01 until plain_redis.get("go"); end }
      backend = Resque::Failure.backend
      Resque::Failure.backend = Class.new(backend) { prepend slow }
      Resque::Worker.new("mail").prune_dead_workers
      Resque::Failure.backend = backend
      nil`);
    await eventually(async () => (await redis.llen("resque:failed")) === 1);
    expect(await drain()).toMatchObject({ recovered: 0, claimed: 0 });
    await world.letGo();
    await pruned;
    expect(await drain()).toMatchObject({ recovered: 0, claimed: 0 });
    expect((await failures()).map(({ payload }) => payload.args[0]).sort()).toEqual([0, 1]);
    expect(await redis.keys("resque:airlift:*")).toEqual([]);
  });

  test("… while a Ruby worker that has just started holds the lock for pruning: it is ours before 300 s", async () => {
    await world.ruby("2.times { |n| Resque.enqueue(Hold, n) }");
    await world.killDrain("mail", 2);
    await world.endLeases();
    await world.ruby('Resque::Worker.new("mail").prune_dead_workers');
    expect(await world.redis.exists("resque:pruning_dead_workers_in_progress")).toBe(1);
    expect(await drain()).toMatchObject({ recovered: 2, succeeded: 2 });
    expect(await failures()).toEqual([]);
  });

  test("a drain that lives, but was not heard of for 300 s, is pruned: it ends, and its job is counted as failed alone", async () => {
    await world.ruby("Resque.enqueue(Hold, 1)");
    const held = await holdDrain({ redis: world.client, queues: ["mail"] });
    world.cleanUp(async () => held.release());
    await world.ruby("Resque.enqueue(Echo, 2)");
    await silence(await world.redis.smembers("resque:workers"), 600);
    await world.ruby(PRUNE);
    held.release();
    expect(await held.report).toMatchObject({ stopped: "lost", succeeded: 0 });
    expect((await failures()).map(({ payload }) => payload.args)).toEqual([[1]]);
    expect(await world.ruby("[Resque.workers.size, Resque.size(:mail)]")).toEqual([0, 1]);
    const echo = { class: "Echo", perform: () => undefined };
    expect(await world.app({ queues: ["mail"], jobs: [echo] }).drain()).toMatchObject({ succeeded: 1, recovered: 0 });
    expect(await world.redis.keys("resque:airlift:*")).toEqual([]);
  });

  test("a Ruby worker is killed with its job: our drains leave both alone, a Ruby worker handles them", async () => {
    const { redis } = world;
    await world.ruby("Resque.enqueue(Hold, 1)");
    const worker = world.start(["worker.rb", "mail"], { WORKER_HOST: "web1" });
    await eventually(async () => (await redis.llen("held")) === 1);
    await worker.kill();
    const id = `web1:${worker.pid}:mail`;
    const entry = await redis.get(`resque:worker:${id}`);
    expect(entry).toContain('"payload":{"class":"Hold","args":[1]}');
    await silence([id], 10_000);
    await world.ruby("Resque.enqueue(Hold, 2)");
    const app = world.app({ queues: ["*"], jobs: [hold] });
    expect(await app.drain()).toMatchObject({ succeeded: 1, recovered: 0 });
    expect(await redis.get(`resque:worker:${id}`)).toBe(entry);
    expect(await redis.smembers("resque:workers")).toEqual([id]);
    expect((await app.workers.list()).workers).toMatchObject([{ id, job: { class: "Hold", args: [1] } }]);
    await world.ruby(PRUNE);
    expect(await failures()).toMatchObject([{ exception: "Resque::PruneDeadWorkerDirtyExit", payload: { args: [1] } }]);
    expect(await redis.keys("resque:worker*")).toEqual([]);
    expect(await app.failed.retry({ class: "Hold" })).toMatchObject({ retried: 1 });
    expect(await app.drain()).toMatchObject({ succeeded: 1 });
  });

  test("workers.prune does to a dead Ruby worker what Ruby would", async () => {
    const { redis } = world;
    const kill = async (number: number): Promise<string> => {
      await world.ruby("Resque.enqueue(Hold, args[0], 1.0, {a: []})", number);
      const worker = world.start(["worker.rb", "mail"], { WORKER_HOST: `web${number}` });
      await eventually(async () => (await redis.llen("held")) === number);
      await worker.kill();
      return `web${number}:${worker.pid}:mail`;
    };
    const [theirs, ours] = [await kill(1), await kill(2)];
    await silence([theirs, ours], 10_000);
    await world.app({ queues: ["mail"], jobs: [] }).workers.prune(ours);
    await world.ruby(PRUNE);
    const normal = (entry: string): string =>
      entry
        .replace(/"failed_at":"[^"]*"/, '"failed_at":""')
        .replaceAll(/web\d:\d+/g, "web")
        .replaceAll(/\[[12],/g, "[n,");
    const [first, second] = (await redis.lrange("resque:failed", 0, -1)).map(normal);
    expect(first).toBe(second);
    expect(await redis.keys("resque:worker*")).toEqual([]);
  });
});
