import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { retry } from "../../src/core/directive.ts";
import { type AnyJobDefinition, defineJob } from "../../src/core/job.ts";
import { linesOf, optionsOf, withoutOneRule } from "./acl-lines.ts";
import { type AclWorld, aclSetup, createStage, openAclWorld } from "./acl-world.ts";

const JOBS = ["plain", "again", "limited", "unique", "known"] as const;
const DUE_SECONDS = 1_000_000_000;

/** An app whose drains use whatever there is, and which jobs of it have run to their end. */
function createJobs(): { readonly jobs: readonly AnyJobDefinition[]; readonly done: Set<unknown> } {
  const done = new Set<unknown>();
  const finish = ([n]: readonly unknown[]) => void done.add(n);
  return {
    done,
    jobs: [
      defineJob({ class: "plain", perform: finish }),
      defineJob({ class: "again", perform: (args, job) => (job.attempt === 1 ? retry({ afterMs: 1 }) : finish(args)) }),
      defineJob({ class: "limited", limit: { running: 5, rate: { jobs: 1_000, periodMs: 1_000 } }, perform: finish }),
      defineJob({ class: "unique", unique: { until: "done" }, perform: finish }),
      defineJob({ class: "known", status: { ttlMs: 60_000 }, perform: finish }),
      defineJob({ class: "fail", perform: () => Promise.reject(new Error("no")) }),
    ],
  };
}

describe.skipIf(!aclSetup)("of the lines for a drain one rule is forgotten", () => {
  let world: AclWorld;
  beforeAll(async () => {
    world = await openAclWorld();
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const lines = ["drain", ...optionsOf("drain").map((option) => `drain ${option}`)].flatMap(linesOf);
  // Those of the command of every script, without which nothing is even begun, are left out.
  const cases = [...withoutOneRule(lines)].filter(({ rule }) => !rule.startsWith("+eval"));

  /** Puts a job of each kind into the queue, one whose time has come, and one that a dead drain holds. */
  const furnish = async (jobs: readonly AnyJobDefinition[]): Promise<Set<string>> => {
    const app = createStage(world, world.client).app({ jobs });
    const held = world.drain({ slots: 1 });
    await world.push("q", '{"class":"plain","args":["held"]}');
    await held.store.exchange({ seq: 1, attempt: 1, settle: [], fill: [0] });
    await world.endLeases();
    await app.enqueueAll([...JOBS, "fail"].map((name) => ({ queue: "q", class: name, args: [name] })));
    const item = '{"class":"plain","args":["delayed"],"queue":"q"}';
    await world.send(
      ["RPUSH", world.keys.delayed(DUE_SECONDS), item],
      ["SADD", world.keys.timestamps(item), `delayed:${DUE_SECONDS}`],
      ["ZADD", world.keys.delayedSchedule, DUE_SECONDS, DUE_SECONDS],
    );
    return new Set([...JOBS, "held", "delayed"]);
  };

  test.each(cases)("$rule: no job is lost", async ({ lines: fewer }) => {
    await world.flush();
    for (const line of fewer) await world.setUser(line);
    const { jobs, done } = createJobs();
    const wanted = await furnish(jobs);
    // A short lease, after which a drain gives up; whoever is held up for as long must not count for a job's crashes.
    const options = { jobs, single: true, recordDrains: true, failedQueues: true, maxFailed: 9, crashLimit: 9 };
    const short = { leaseMs: 1_000, timeoutMs: 500 };
    const limited = createStage(world, await world.clientOf("airlift-drain")).app({ ...options, ...short });
    for (let tick = 1; tick <= 2; tick++) {
      await limited.drain({ deadlineMs: Date.now() + 4_000 }).catch(() => undefined);
    }
    // Then somebody sees the refusals, and mends the user.
    for (const line of lines) await world.setUser(line);
    await world.endLeases();
    await world.send(["DEL", world.keys.single("default")]);
    const stage = createStage(world, await world.clientOf("airlift-drain"));
    const last = await stage.app(options).drain();
    expect(last.stopped).toBe("empty");
    expect(done).toEqual(wanted);
    const everything = await world.everything();
    const failed = [everything[world.keys.failed] ?? [], everything[world.keys.failedOf("q")] ?? []].flat();
    expect(JSON.stringify(failed)).toContain("fail");
    expect(await world.queued("q")).toEqual([]);
  });
});
