import { beforeEach, expect, test } from "vitest";
import { cron } from "../../../src/cron/cron.ts";
import type { Airlift, DrainReport } from "../../../src/index.ts";
import { type HeldDrain, holdDrain } from "../held-drain.ts";
import { describeBesideRuby } from "./describe-beside-ruby.ts";
import { theRuby } from "./find-ruby.ts";
import { type ResqueWeb, startResqueWeb, textOf } from "./resque-web.ts";
import { besideRuby, eventually } from "./ruby-world.ts";

const AT_SECONDS = 4_000_000_000;

describeBesideRuby("resque-web", () => {
  const world = besideRuby();
  let web: ResqueWeb;
  let airlift: Airlift;
  let held: HeldDrain;

  /** A drain that holds two jobs, with two workers more and the class `Echo`; failures, delayed jobs, schedules and retries are there, too. */
  beforeEach(async () => {
    const flaky = {
      class: "Echo",
      retry: { limit: 2, backoff: () => 3_600_000 },
      perform: () => Promise.reject(new Error("later")),
    };
    const boom = { class: "Boom", perform: () => Promise.reject(new RangeError("too <far>")) };
    const only = { class: "OnlyHere", queue: "mail", perform: () => undefined };
    airlift = world.app({
      queues: ["mail"],
      jobs: [boom, flaky, only],
      scheduler: cron({ persistent: true }),
      recordDrains: true,
    });
    for (let n = 0; n < 3; n++) await airlift.enqueue({ queue: "mail", class: "Boom", args: [n, { a: ["<b>"] }] });
    await airlift.enqueue({ queue: "mail", class: "Echo", args: ["retried"] });
    await world.redis.rpush("resque:queue:mail", "{oops <i>");
    await airlift.drain();
    await airlift.enqueueAt(AT_SECONDS * 1_000, { queue: "mail", class: "Echo", args: ["delayed", { k: [] }] });
    await airlift.enqueueAt(AT_SECONDS * 1_000 + 5_000, { queue: "mail", class: "OnlyHere", args: [1] });
    await airlift.enqueueAt(AT_SECONDS * 1_000 + 5_000, { queue: "mail", class: "Echo", args: [2] });
    await airlift.schedules.set("tea", {
      every: "15m",
      class: "Echo",
      queue: "mail",
      args: ["tea"],
      description: "a <cup>",
    });
    await airlift.schedules.set("ours", { cron: "0 9 * * *", class: "OnlyHere" });
    for (const n of [1, 2]) await airlift.enqueue({ queue: "mail", class: "Hold", args: [n, { a: ["<b>"] }] });
    held = await holdDrain({ redis: world.client, queues: ["mail", "low"], platform: "test" }, 2);
    world.cleanUp(end);
    await airlift.enqueue({ queue: "wait", class: "Echo", args: [3] });
    web = await startResqueWeb(world);
  });

  const end = async (): Promise<DrainReport> => {
    held.release();
    return held.report;
  };
  const ids = async (): Promise<string[]> => (await world.redis.smembers("resque:workers")).sort();

  test("every page renders while our jobs run, and shows them", async () => {
    const workers = await ids();
    expect(workers).toHaveLength(3);
    const [, host = ""] = /^([^:]+):/.exec(workers[0] ?? "") ?? [];
    const overview = textOf(await web.page("/overview"));
    expect(overview).toContain("2 of 3 Workers Working");
    const busy = (await world.redis.keys("resque:worker:*:mail,low")).map((key) =>
      key.split(":").slice(2, 4).join(":"),
    );
    expect(busy).toHaveLength(2);
    for (const shown of [...busy, "mail", "wait", "Hold"]) expect(overview).toContain(shown);
    expect(textOf(await web.page("/"))).toContain("2 of 3 Workers Working");
    expect(textOf(await web.page("/overview.poll"))).toContain("Hold");
    expect(textOf(await web.page("/working"))).toContain("2 of 3 Workers Working");
    expect(textOf(await web.page("/queues"))).toMatch(/mail.*wait/);
    expect(textOf(await web.page("/queues/wait"))).toMatch(/Echo .*3/);
    const all = textOf(await web.page("/workers"));
    for (const id of workers) expect(all).toContain(id.split(":").slice(0, 2).join(":"));
    expect(textOf(await web.page(`/workers/${host}`))).toContain("3 Workers");
    expect(textOf(await web.page("/workers/all"))).toContain("3 Workers");
    await web.page("/workers.poll");
    const pages = await Promise.all(workers.map((id) => web.page(`/workers/${encodeURIComponent(id)}`)));
    for (const [index, page] of pages.entries()) {
      expect(textOf(page)).toContain(`Worker ${workers[index]}`);
      expect(textOf(page)).toMatch(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 \d{4}-\d\d-\d\d/); // started, heartbeat
    }
    expect(pages.filter((page) => page.includes("Hold"))).toHaveLength(2);
    const jobs = await Promise.all(workers.map((id) => web.page(`/working/${encodeURIComponent(id)}`)));
    expect(jobs.filter((page) => textOf(page).includes('- "<b>"'))).toHaveLength(2);
    expect(await end()).toMatchObject({ stopped: "empty", succeeded: 2 });
    expect(textOf(await web.page("/workers/all"))).toContain("There are no registered workers");
    expect(textOf(await web.page("/working"))).toContain("0 of 0 Workers Working");
  });

  test("the pages of failures show ours, and those of payloads that are no jobs", async () => {
    const failed = textOf(await web.page("/failed"));
    expect(failed).toContain("Showing 0 to 3 jobs");
    for (const shown of [
      "RangeError",
      "too <far>",
      "Boom",
      '- "<b>"',
      "MalformedPayload",
      "{oops <i>",
      "airlift-node-",
      "web.test.ts",
    ])
      expect(failed).toContain(shown);
    expect(failed).not.toContain("could not be parsed");
    expect(textOf(await web.page("/failed?class=Boom"))).toContain("with class 'Boom'");
    expect(textOf(await web.page("/failed?start=3"))).toContain("Showing 3 to 3 jobs");
  });

  test("the pages of statistics show every key of ours", async () => {
    expect(textOf(await web.page("/stats"))).toMatch(/failed 4 .*pending 1 .*processed 5 .*workers 3 working 2/);
    await web.page("/stats/redis");
    const keys = textOf(await web.page("/stats/keys"));
    const names = (await world.redis.keys("resque:*")).map((name) => name.slice("resque:".length));
    expect(names.filter((name) => name.startsWith("airlift:")).sort()).toEqual([
      ...["airlift:cron", "airlift:drains", "airlift:last-drain", "airlift:retries"],
    ]);
    for (const name of names) {
      expect(keys).toContain(name);
      expect(textOf(await web.page(`/stats/keys/${encodeURIComponent(name)}`)), name).toContain(`Key "${name}"`);
    }
    const response = await fetch(`${web.url}/stats.txt`);
    expect(await response.text()).toContain("resque.working=2");
  });

  test("the tabs of resque-scheduler show our delayed jobs and schedules", async () => {
    const delayed = textOf(await web.page("/delayed"));
    expect(delayed).toContain("Showing 0 to 20 of 2 timestamps");
    expect(delayed).toMatch(/2096-10-02 07:06:40 \+0000 1 Echo "delayed" {"k"=>\[\]}/);
    const both = textOf(await web.page(`/delayed/${AT_SECONDS + 5}`));
    expect(both).toMatch(/OnlyHere 1 Echo 2/);
    const args = encodeURIComponent(JSON.stringify(["delayed", { k: [] }]));
    expect(textOf(await web.page(`/delayed/jobs/Echo?args=${args}`))).toContain("2096-10-02 07:06:40");
    expect(textOf(await web.page("/delayed/jobs/OnlyHere"))).toContain("no such jobs");
    const found = textOf(await web.press("/delayed/search", { search: "echo" }));
    expect(found).toMatch(/Delayed jobs .*Echo .*Queued jobs .*wait Echo/);
    const schedule = textOf(await web.page("/schedule"));
    expect(schedule).toMatch(/ours cron: 0 9 \* \* \* OnlyHere mail Never/);
    expect(schedule).toMatch(/tea a <cup> every: 15m Echo mail "tea" Never/);
  });

  test.skipIf(!process.env["AIRLIFT_RUBY"] || "resque-retry" in theRuby().missing)(
    "the tab of resque-retry shows our delayed jobs beside its own",
    async () => {
      const retries = textOf(await web.page("/retry"));
      expect(retries).toMatch(/2096-10-02 07:06:40 \+0000 1 Echo \["delayed", {"k"=>\[\]}\] n\/a/);
      expect(textOf(await web.page(`/retry/${AT_SECONDS + 5}`))).toMatch(/OnlyHere \[1\] n\/a - normal delayed job/);
      // Its own: a job that failed in Ruby and waits there.
      await world.ruby('plain_redis.set("fail", 1); Resque.enqueue_to("flaky", "Flaky", "theirs")');
      const worker = world.start(["worker.rb", "flaky"], { SUPPRESS_RETRIED: "1" });
      await eventually(async () => (await airlift.delayed.list()).jobs.some((job) => job.class === "Flaky"));
      worker.signal("SIGQUIT");
      await worker.ended;
      const [waiting] = (await airlift.delayed.list()).jobs;
      const seconds = (waiting?.atMs ?? 0) / 1_000;
      expect(textOf(await web.page("/retry"))).toMatch(/1 Flaky \["theirs"\] 0 .* 1 Echo \["delayed"/);
      expect(textOf(await web.page(`/retry/${seconds}`))).toMatch(/Flaky \["theirs"\] 0 IOError not yet/);
      await web.press(`/retry/${seconds}/remove`, {});
      expect((await airlift.delayed.list()).jobs.map((job) => job.class)).toEqual(["Echo", "OnlyHere", "Echo"]);
    },
  );

  test("retrying and removing failures while we drain", async () => {
    const { redis } = world;
    const classes = async (): Promise<(string | undefined)[]> => {
      return Promise.all((await redis.lrange("resque:failed", 0, -1)).map((entry) => JSON.parse(entry).payload.class));
    };
    const entries = await redis.lrange("resque:failed", 0, -1);
    const at = (await classes()).indexOf("Boom");
    await web.press(`/failed/requeue/${at}`);
    expect(await redis.lrange("resque:queue:mail", 0, -1)).toEqual([
      /"payload":(.*),"exception"/.exec(entries[at] ?? "")?.[1],
    ]);
    expect((await airlift.failed.list({ retried: true })).jobs).toHaveLength(1);
    expect(textOf(await web.page("/failed"))).toContain("Retried");
    await web.press(`/failed/remove/${(await classes()).indexOf("MalformedPayload")}`);
    expect(await classes()).toEqual(["Boom", "Boom", "Boom"]);
    await web.press("/failed/clear_retried", {});
    expect((await airlift.failed.list({ retried: false })).jobs).toHaveLength(2);
    expect(await redis.llen("resque:failed")).toBe(2);
    await web.press("/failed/requeue/all", {});
    held.release();
    // The held drain knows no class Boom, so all that is retried fails again.
    expect(await held.report).toMatchObject({ stopped: "empty", succeeded: 2, failed: 3 });
    await web.press("/failed/clear", {});
    expect(await redis.exists("resque:failed")).toBe(0);
  });

  test("its buttons for delayed jobs act on ours, whatever else runs", async () => {
    const { redis } = world;
    await web.press("/delayed/queue_now", { timestamp: String(AT_SECONDS) });
    expect(await redis.lrange("resque:queue:mail", 0, -1)).toEqual(['{"class":"Echo","args":["delayed",{"k":[]}]}']);
    expect(await airlift.delayed.count()).toBe(2);
    await web.press("/delayed/cancel_now", { timestamp: String(AT_SECONDS + 5), klass: "Echo", args: "[2]" });
    expect((await airlift.delayed.list()).jobs).toMatchObject([{ class: "OnlyHere" }]);
    await web.press("/delayed/clear", {});
    expect(await airlift.delayed.count()).toBe(0);
    expect(await redis.keys("resque:timestamps:*")).toEqual([]);
  });

  test("its buttons for schedules and queues act on ours", async () => {
    const { redis } = world;
    await web.press("/schedule/requeue", { job_name: "tea" });
    await web.press("/schedule/requeue", { job_name: "ours" });
    expect(await redis.lrange("resque:queue:mail", 0, -1)).toEqual([
      ...['{"class":"Echo","args":["tea"]}', '{"class":"OnlyHere","args":[]}'],
    ]);
    await web.press("/schedule", { _method: "delete", job_name: "tea" });
    expect((await airlift.schedules.list()).map(({ name }) => name)).toEqual(["ours"]);
    await web.press("/queues/wait/remove", {});
    expect((await airlift.queues.list()).queues.map(({ name }) => name)).toEqual(["mail"]);
    await web.press("/queues/mail/remove", {});
    held.release();
    expect(await held.report).toMatchObject({ stopped: "empty", succeeded: 2, failed: 0 });
    await eventually(async () => (await ids()).length === 0);
  });
});
