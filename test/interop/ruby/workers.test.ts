import { expect, test } from "vitest";
import { holdDrain } from "../held-drain.ts";
import { describeBesideRuby } from "./describe-beside-ruby.ts";
import { besideRuby, eventually } from "./ruby-world.ts";

/** What Ruby tells of each of its workers. */
const WORKERS = `Resque.workers.sort_by(&:to_s).map { |w|
  { id: w.to_s, host: w.hostname, pid: w.pid, queues: w.queues, state: w.state, started: w.started,
    heartbeat: w.heartbeat&.to_i, processed: w.processed, failed: w.failed, job: w.job, idle: w.idle? }
}`;

interface RubyWorker {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly queues: readonly string[];
  readonly state: "working" | "idle";
  readonly started: string;
  readonly heartbeat: number;
  readonly processed: number;
  readonly failed: number;
  readonly job: { readonly queue?: string; readonly run_at?: string; readonly payload?: unknown };
  readonly idle: boolean;
}

describeBesideRuby("workers, as the other side sees them", () => {
  const world = besideRuby();
  const near = (seconds: number): void => expect(Math.abs(seconds - Date.now() / 1_000)).toBeLessThan(30);

  test("Ruby reads the workers of a drain: who they are, since when, what each does", async () => {
    await world.ruby('Resque.enqueue_to("mail", "Hold", 1.0, {"a" => []}); Resque.enqueue_to("low", "Hold", 2)');
    const held = await holdDrain({ redis: world.client, queues: ["mail=2", "low", "!slow"], platform: "test" }, 2);
    world.cleanUp(async () => held.release());
    const workers = await world.ruby<RubyWorker[]>(WORKERS);
    expect(workers).toHaveLength(3);
    for (const worker of workers) {
      expect(worker.id).toBe(`${worker.host}:${process.pid}-${worker.id.split(/[-:]/).at(-2)}:mail,low`);
      expect(worker.host).toMatch(/^airlift-test-[0-9a-f]{12}$/);
      expect(worker.pid).toBe(process.pid);
      expect(worker.queues).toEqual(["mail", "low"]);
      expect(worker).toMatchObject({ processed: 0, failed: 0, idle: worker.state === "idle" });
      near(Date.parse(worker.started.replace(" +0000", "Z")) / 1_000);
      near(worker.heartbeat);
    }
    const working = workers.filter(({ state }) => state === "working").map(({ job }) => job);
    working.sort((a, b) => String(b.queue).localeCompare(String(a.queue)));
    expect(working).toEqual([
      {
        claim: expect.any(String),
        queue: "mail",
        run_at: expect.any(String),
        payload: { class: "Hold", args: [1, { a: [] }] },
      },
      { claim: expect.any(String), queue: "low", run_at: expect.any(String), payload: { class: "Hold", args: [2] } },
    ]);
    for (const { run_at = "" } of working) near(Date.parse(run_at) / 1_000);
    expect(await world.ruby("Resque::Worker.working.map { |w| w.job['payload']['args'].first }.sort")).toEqual([1, 2]);
    expect(await world.ruby("Resque.working.size")).toBe(2);
    expect(await world.ruby("Resque.info.slice(:workers, :working, :processed, :failed)")).toEqual({
      ...{ workers: 3, working: 2, processed: 0, failed: 0 },
    });
    const [first] = workers as [RubyWorker];
    expect(await world.ruby("Resque::Worker.exists?(args[0])", first.id)).toBe(true);
    expect(await world.ruby("Resque::Worker.find(args[0]).to_s", first.id)).toBe(first.id);

    held.release();
    await held.report;
    expect(await world.ruby(WORKERS)).toEqual([]);
    expect(await world.ruby("[Resque.working.size, Resque::Worker.all_heartbeats, Resque.info[:processed]]")).toEqual([
      ...[0, {}, 2],
    ]);
  });

  test.each([
    [["*"], ["low", "mail"]],
    [
      ["m*", "low"],
      ["mail", "low"],
    ],
    [
      ["*", "!low"],
      ["low", "mail"],
    ],
  ])("Ruby reads workers of the queues %j", async (queues, read) => {
    await world.ruby('Resque.enqueue_to("mail", "Hold", 1); Resque.watch_queue("low")');
    const held = await holdDrain({ redis: world.client, queues });
    world.cleanUp(async () => held.release());
    const workers = await world.ruby<RubyWorker[]>(WORKERS);
    expect(workers.length).toBeGreaterThan(0);
    // What is excluded does not stand in an id, Ruby's own workers' neither.
    for (const worker of workers) expect(worker.queues).toEqual(read);
    held.release();
    await held.report;
  });

  test("Ruby reads a worker's counters, once it has beaten", async () => {
    await world.ruby("Resque.enqueue(Boom, 1); Resque.enqueue(Echo, 1); Resque.enqueue(Hold, 1)");
    const boom = () => {
      throw new Error("boom");
    };
    const jobs = [
      { class: "Boom", perform: boom },
      { class: "Echo", perform: () => undefined },
    ];
    const held = await holdDrain({ redis: world.client, queues: ["mail"], jobs, leaseMs: 1_000 });
    world.cleanUp(async () => held.release());
    const counted = (workers: readonly RubyWorker[]) => workers.reduce((sum, { processed }) => sum + processed, 0);
    await eventually(async () => counted(await world.ruby(WORKERS)) === 2);
    const workers = await world.ruby<RubyWorker[]>(WORKERS);
    expect(workers.reduce((sum, { failed }) => sum + failed, 0)).toBe(1);
    held.release();
    await held.report;
    expect(await world.redis.keys("resque:stat:*:*")).toEqual([]);
  });

  test("we read Ruby's worker: who it is, since when, what it does; it keeps its keys", async () => {
    const { redis } = world;
    const airlift = world.app({ queues: ["mail"], jobs: [] });
    await world.ruby("Resque.enqueue(Echo, 1); Resque.enqueue(Boom, 2); Resque.enqueue(Hold, 1.0, 2**64, {a: []})");
    const worker = world.start(["worker.rb", "mail", "low"], { WORKER_HOST: "web1" });
    await eventually(async () => (await redis.llen("held")) === 1);
    const { workers, total } = await airlift.workers.list();
    expect(total).toBe(1);
    expect(workers).toEqual([
      {
        ...{ id: `web1:${worker.pid}:mail,low`, host: "web1", pid: worker.pid, queues: ["mail", "low"] },
        ...{ isAirlift: false, processed: 2, failed: 1 },
        ...{ started: expect.stringMatching(/^\d{4}-\d\d-\d\d .* \+0000$/), startedMs: expect.any(Number) },
        heartbeatMs: expect.any(Number),
        job: {
          ...{ queue: "mail", class: "Hold", args: [1, 2n ** 64n, { a: [] }] },
          ...{ runAt: expect.stringMatching(/Z$/), runAtMs: expect.any(Number), runningMs: expect.any(Number) },
        },
      },
    ]);
    for (const ms of [workers[0]?.startedMs, workers[0]?.heartbeatMs, workers[0]?.job?.runAtMs])
      near((ms ?? 0) / 1_000);
    // A drain on the same queues comes and goes without touching it.
    const before = await redis.get(`resque:worker:web1:${worker.pid}:mail,low`);
    await world.ruby("Resque.enqueue_to('mail', 'Echo', 3)");
    const echo = { class: "Echo", perform: () => undefined };
    expect(await world.app({ queues: ["mail"], jobs: [echo] }).drain()).toMatchObject({ succeeded: 1, recovered: 0 });
    expect(await redis.get(`resque:worker:web1:${worker.pid}:mail,low`)).toBe(before);
    expect(await redis.smembers("resque:workers")).toEqual([`web1:${worker.pid}:mail,low`]);
    await world.letGo();
    worker.signal("SIGQUIT");
    await worker.ended;
    expect((await airlift.workers.list()).total).toBe(0);
    expect(await redis.mget("resque:stat:processed", "resque:stat:failed")).toEqual(["4", "1"]);
  });

  test("a pause holds for both sides, whoever sets it", async () => {
    const { redis } = world;
    const ours: unknown[] = [];
    const echo = { class: "Echo", perform: (args: readonly unknown[]) => void ours.push(args[0]) };
    const airlift = world.app({ queues: ["mail"], jobs: [echo] });
    await airlift.pause();
    await world.ruby("Resque.enqueue(Echo, 1)");
    const worker = world.start(["worker.rb", "mail"]);
    await eventually(async () => (await redis.scard("resque:workers")) === 1);
    expect(await world.ruby("Resque::Worker.new('mail').work_one_job")).toBe(false);
    expect(await airlift.drain()).toMatchObject({ stopped: "paused", claimed: 0 });
    await airlift.resume();
    await eventually(async () => (await redis.llen("ran")) === 1);
    worker.signal("SIGQUIT");
    await worker.ended;
    await world.ruby("Resque.redis.set('pause-all-workers', true); Resque.enqueue(Echo, 2)");
    expect(await airlift.drain()).toMatchObject({ stopped: "paused", claimed: 0 });
    await world.ruby("Resque.redis.del('pause-all-workers')");
    expect(await airlift.drain()).toMatchObject({ stopped: "empty", succeeded: 1 });
    expect(ours).toEqual([2]);
  });
});
