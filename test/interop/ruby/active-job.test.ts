import { expect, test } from "vitest";
import {
  activeJob,
  activeJobRequest,
  activeJobRetry,
  GlobalId,
  keywords,
  RubySymbol,
  symbolKeys,
} from "../../../src/active-job/active-job.ts";
import { describeBesideRuby } from "./describe-beside-ruby.ts";
import { startResqueWeb, textOf } from "./resque-web.ts";
import { besideRuby, eventually, type RubyRun } from "./ruby-world.ts";

/** What `perform_later` is given, in Ruby. Floats have fractions: JavaScript has no 1.0. */
const ARGS: readonly (readonly [name: string, ruby: string])[] = [
  ["nothing", ""],
  ["plain values", 'nil, true, 1, -1, 0.1, "é<&>\\u2028", [[], {}], 2**70'],
  ["symbols", ":mail, [:a, :b]"],
  ["hashes of all kinds", '{ a: 1, b: { c: [] } }, { "d" => { "e" => nil } }, { "f" => 1 }.with_indifferent_access'],
  ["keywords", '1, format: :pdf, to: { "x" => [1] }'],
  ["times", 'Time.utc(2026, 1, 2, 3, 4, 5.5r), Time.new(2026, 1, 2, 3, 4, 5, "+05:30"), Date.new(2026, 2, 28)'],
  ["zoned times", 'Time.utc(2026, 7, 2).in_time_zone("Europe/Berlin"), DateTime.new(2026, 1, 2, 3, 4, 5, "-3")'],
  ["durations, decimals, ranges, classes", '1.5.days, 2.months + 3.hours, BigDecimal("1.50"), 1..5, "a"..., String'],
  ["records", "Invoice.new(7), [Invoice.new(8)], { invoice: Invoice.new(9) }"],
];

describeBesideRuby("beside Rails' Active Job", () => {
  const world = besideRuby("rails");
  /** Runs what is in the queue in Ruby, and returns what its jobs were given. */
  const workInRuby = async (count: number): Promise<readonly RubyRun[]> => {
    await world.ruby('worker = Resque::Worker.new("mail"); worker.fork_per_job = false; worker.work(0)');
    const runs = await world.ran();
    expect(runs).toHaveLength(count);
    await world.redis.del("ran");
    expect(await world.redis.exists("resque:failed")).toBe(0);
    return runs;
  };

  test.each(ARGS)("Rails to us and back to Rails: %s", async (_name, ruby) => {
    const { redis } = world;
    await world.ruby(`InvoiceJob.perform_later(${ruby}).successfully_enqueued?`);
    const payload = (await redis.lindex("resque:queue:mail", 0)) ?? "";
    const [inRuby] = await workInRuby(1);
    await redis.rpush("resque:queue:mail", payload);
    const seen: (readonly unknown[])[] = [];
    const invoiceJob = activeJob({ class: "InvoiceJob", queue: "mail", perform: (args) => void seen.push(args) });
    const airlift = world.app({ queues: ["mail"], jobs: [invoiceJob] });
    expect(await airlift.drain()).toMatchObject({ succeeded: 1, failed: 0 });
    // What the handler got, enqueued again: Rails' JobWrapper performs it with the same values.
    await airlift.enqueue(invoiceJob, seen[0] ?? []);
    const ours = (await redis.lindex("resque:queue:mail", 0)) ?? "";
    expect(argumentsOf(ours)).toBe(argumentsOf(payload));
    expect(membersOf(ours)).toEqual(membersOf(payload));
    const [again] = await workInRuby(1);
    expect(again?.inspect).toBe(inRuby?.inspect);
    expect(again).toMatchObject({ class: "InvoiceJob", executions: 1 });
  });

  const argumentsOf = (payload: string) => /"arguments":(.*),"executions":/.exec(payload)?.[1];
  const membersOf = (payload: string) => Object.keys(JSON.parse(payload).args[0]);

  test("ours, of plain JavaScript values, locale and zone: what perform is given", async () => {
    const airlift = world.app({ queues: ["mail"], jobs: [] });
    const invoice = GlobalId.of({ app: "shop", modelName: "Invoice", modelId: 17 });
    const args = [
      invoice,
      new RubySymbol("now"),
      new Date(Date.UTC(2026, 0, 2)),
      symbolKeys({ a: 1 }),
      keywords({ format: "pdf" }),
    ];
    await airlift.enqueue(activeJobRequest("InvoiceJob", args, { queue: "mail", locale: "en", timezone: "Tokyo" }));
    const [ran] = await workInRuby(1);
    expect(ran).toMatchObject({ executions: 1, locale: "en", zone: "Tokyo" });
    expect(ran?.inspect).toBe(
      await world.ruby('[[Invoice.new(17), :now, Time.utc(2026, 1, 2), { a: 1 }], { format: "pdf" }].inspect'),
    );
  });

  test("delayed, by each side and promoted by the other", async () => {
    const { redis } = world;
    const seen: unknown[] = [];
    const invoiceJob = activeJob({
      class: "InvoiceJob",
      queue: "mail",
      perform: ([first], job) => void seen.push([first, job.context.activeJob.executions]),
    });
    const airlift = world.app({ queues: ["mail"], jobs: [invoiceJob] });
    await world.ruby('InvoiceJob.set(wait: 1.second).perform_later("theirs").successfully_enqueued?');
    const [delayed] = (await airlift.delayed.list()).jobs;
    expect(delayed).toMatchObject({ class: "InvoiceJob", queue: "mail" });
    await eventually(async () => (await airlift.drain()).promoted === 1);
    expect(seen).toEqual([["theirs", 0]]);
    await airlift.enqueueIn(1_000, invoiceJob, ["ours"]);
    world.start(["scheduler.rb"]);
    await eventually(() => redis.llen("resque:queue:mail"));
    const [ran] = await workInRuby(1);
    expect(ran?.inspect).toBe(await world.ruby('[["ours"], {}].inspect'));
    await eventually(async () => (await redis.keys("resque:timestamps:*")).length === 0);
  });

  test("retry_on of Rails, then us, then Rails again: the executions go on", async () => {
    const { redis } = world;
    await redis.set("fail", 1);
    await world.ruby("FlakyJob.perform_later(1).successfully_enqueued?");
    expect(await workInRuby(1)).toMatchObject([{ class: "FlakyJob", executions: 1 }]);
    const seen: unknown[] = [];
    const airlift = world.app({
      queues: ["mail"],
      jobs: [
        activeJob({
          class: "FlakyJob",
          async perform(_args, job) {
            seen.push([job.attempt, job.context.activeJob.executions, job.context.activeJob.exceptionExecutions]);
            await airlift.enqueue(activeJobRetry(job, { exceptions: "[FlakyJob::NotYet]" }));
            await airlift.pause();
          },
        }),
      ],
    });
    await eventually(async () => (await airlift.drain()).promoted === 1);
    expect(seen).toEqual([[2, 1, { "[FlakyJob::NotYet]": 1 }]]);
    await airlift.resume();
    await redis.del("fail");
    expect(await workInRuby(1)).toMatchObject([{ class: "FlakyJob", executions: 3 }]);
  });

  test("our failure of a Rails job: resque-web shows its class, Ruby's requeue runs it in Rails", async () => {
    const { redis } = world;
    await world.ruby("InvoiceJob.perform_later(Invoice.new(3), k: :v).successfully_enqueued?");
    const failing = activeJob({ class: "InvoiceJob", perform: () => Promise.reject(new TypeError("no")) });
    const airlift = world.app({ queues: ["mail"], jobs: [failing] });
    await airlift.drain();
    expect((await airlift.failed.list({ class: "InvoiceJob" })).jobs).toMatchObject([{ exception: "TypeError" }]);
    const web = await startResqueWeb(world);
    expect(textOf(await web.page("/failed"))).toMatch(/InvoiceJob \(via ActiveJob\) .*gid:\/\/shop\/Invoice\/3/);
    await world.ruby("Resque::Failure.requeue(0)");
    const worker = world.start(["worker.rb", "mail"], { JOBS: "rails" });
    await eventually(async () => (await redis.llen("ran")) === 1);
    worker.signal("SIGQUIT");
    await worker.ended;
    expect((await world.ran())[0]?.inspect).toBe(await world.ruby("[[Invoice.new(3)], { k: :v }].inspect"));
  });
});
