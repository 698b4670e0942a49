import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { AdminContext } from "../../../src/resque/admin/admin-context.ts";
import { removeFailed, retryFailed } from "../../../src/resque/admin/change-failed.ts";
import { listFailed } from "../../../src/resque/admin/failed.ts";
import { setups } from "../../support/setups.ts";
import { type AdminWorld, idOf, openAdminWorld } from "./admin-world.ts";
import { WRITERS } from "./failed-entries.ts";

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Entry `n`, by one of the programs. The number stands in its args alone. */
function entryOf(n: number): string {
  const writers = Object.values(WRITERS);
  return (writers[n % writers.length] as (n: number) => string)(1_000 + n);
}

function numberIn(text: string): number | undefined {
  const digits = /"args":\[1(\d{3})\b/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

const KINDS = [
  "fail",
  "retry-one",
  "remove-one",
  "retry-class",
  "remove-class",
  "retry-all",
  "web-requeue",
  "web-remove",
] as const;

interface Step {
  readonly kind: (typeof KINDS)[number];
  /** Which entry. */
  readonly at: number;
  /** How many fail. */
  readonly count: number;
  readonly class: string;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...KINDS),
  at: fc.nat(40),
  count: fc.integer({ min: 1, max: 12 }),
  class: fc.constantFrom("Boom", "Sleep", "Add", "Mail::Send"),
});
/** What happens at the same time, again and again. */
const rounds = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 });

describe.each(setups())("admins of one failed list over $name", (setup) => {
  let world: AdminWorld;
  let admins: readonly [AdminContext, AdminContext];
  beforeAll(async () => {
    world = await openAdminWorld(setup);
    admins = [world.newContext(), world.newContext()];
  });
  beforeEach(() => world.flush());
  afterAll(() => world[Symbol.asyncDispose]());

  test("beside resque-web, which goes by index, lose and double nothing that its own race does not", async () => {
    const property = fc.asyncProperty(rounds, async (rounds) => {
      await world.flush();
      const seen = { failed: 0, retried: 0, removed: 0, removedByWeb: 0 };
      const pushedByWeb: number[] = [];
      const overwrittenByWeb: (number | undefined)[] = [];

      // The sum is read after the wait: others add to it meanwhile.
      const count = async <Name extends "retried" | "removed">(
        name: Name,
        work: Promise<{ readonly [name in Name]: number }>,
      ): Promise<void> => {
        const result = await work;
        seen[name] += result[name];
      };

      const run = async (step: Step, admin: AdminContext): Promise<void> => {
        const { failed } = world.keys;
        const pick = async (index: number): Promise<string | undefined> => {
          const { jobs } = await listFailed(admin, { retried: false });
          return jobs[index % jobs.length]?.id;
        };
        if (step.kind === "fail") {
          const first = seen.failed;
          seen.failed += step.count;
          await world.fail(range(step.count).map((i) => entryOf(first + i)));
        } else if (step.kind === "retry-one" || step.kind === "remove-one") {
          const id = await pick(step.at);
          if (id === undefined) return;
          if (step.kind === "retry-one") await count("retried", retryFailed(admin, { ids: [id] }));
          else await count("removed", removeFailed(admin, { ids: [id] }));
        } else if (step.kind === "retry-class") {
          await count("retried", retryFailed(admin, { class: step.class }));
        } else if (step.kind === "remove-class") {
          await count("removed", removeFailed(admin, { class: step.class }));
        } else if (step.kind === "retry-all") {
          await count("retried", retryFailed(admin, { all: true }));
        } else {
          // As Ruby Resque does both: several commands, anything between them. What LSET overwrites is noted in the same step.
          const [read] = await world.send(["LINDEX", failed, step.at]);
          const text = read instanceof Uint8Array ? Buffer.from(read).toString("utf8") : undefined;
          const item = text?.startsWith("{") ? (JSON.parse(text) as Record<string, unknown>) : undefined;
          if (!item) return;
          const written =
            step.kind === "web-remove" ? "" : JSON.stringify({ ...item, retried_at: "2026/11/20 00:00:00 UTC" });
          const replies = await world
            .send(["MULTI"], ["LINDEX", failed, step.at], ["LSET", failed, step.at, written], ["EXEC"])
            .catch(() => []);
          const [overwritten, set] = (replies.at(-1) ?? []) as [Uint8Array | null, Uint8Array | Error];
          if (!set || set instanceof Error) return;
          const lost = numberIn(Buffer.from(overwritten ?? []).toString("utf8"));
          if (step.kind === "web-remove" || lost !== numberIn(text ?? "")) overwrittenByWeb.push(lost);
          if (step.kind === "web-remove") {
            const [removed] = await world.send(["LREM", failed, 1, ""]);
            seen.removedByWeb += Number(removed);
          } else {
            const { queue, payload } = item as { queue: string; payload: unknown };
            await world.push(queue, JSON.stringify(payload));
            pushedByWeb.push(numberIn(text ?? "") as number);
          }
        }
      };
      for (const steps of rounds) await Promise.all(steps.map((step, i) => run(step, admins[i % 2] as AdminContext)));
      await count("retried", retryFailed(admins[0], { all: true }));

      const queued = [...(await world.queued("mail")), ...(await world.queued("bench"))].map(numberIn);
      const left = (await world.list(world.keys.failed)).map((text) => ({ n: numberIn(text), text }));
      const countOf = (n: number, list: readonly unknown[]): number => list.filter((each) => each === n).length;

      // Nothing comes from nowhere: what is in the queues was put there by one of them, the list is as long as it must be.
      expect(queued).toHaveLength(seen.retried + pushedByWeb.length);
      expect(left).toHaveLength(seen.failed - seen.removed - seen.removedByWeb);
      for (const n of range(seen.failed)) {
        // Nothing is doubled: admins retry a job once, whoever else does.
        expect(countOf(n, queued) - countOf(n, pushedByWeb)).toBeLessThanOrEqual(1);
      }
      // Nothing is left half done: each entry in the list bears its mark, and its job was put back.
      for (const { n, text } of left.filter(({ text }) => text !== "")) {
        expect(text).toContain('"retried_at":');
        expect(countOf(n as number, queued)).toBeGreaterThanOrEqual(1);
      }
      // Nothing is lost: what is nowhere was removed, or overwritten by resque-web.
      const nowhere = range(seen.failed).filter((n) => !queued.includes(n) && left.every((each) => each.n !== n));
      const notOverwritten = nowhere.filter((n) => !overwrittenByWeb.includes(n));
      expect(notOverwritten.length).toBeLessThanOrEqual(seen.removed);
    });
    await fc.assert(property, { numRuns: 40, seed: 20_261_120, endOnFailure: false });
  });

  test("many who retry all at once retry each job once", async () => {
    const entries = range(900).map(entryOf);
    await world.fail(entries);
    const results = await Promise.all(range(4).map((i) => retryFailed(admins[i % 2] as AdminContext, { all: true })));
    expect(results.reduce((sum, { retried }) => sum + retried, 0)).toBe(900);
    const queued = [...(await world.queued("mail")), ...(await world.queued("bench"))];
    expect(queued).toHaveLength(900);
    expect(new Set(queued.map(numberIn)).size).toBe(900);
  });

  test("what others remove and add meanwhile, wherever, makes no entry be passed over", async () => {
    await world.fail(range(5_200).map(entryOf));
    const { context } = world;
    const { failed } = world.keys;
    let calls = 0;
    const client = {
      ...context.client,
      script: async (...call: Parameters<typeof context.client.script>) => {
        const reply = await context.client.script(...call);
        // After each read and each change.
        if (calls++ < 8) await world.send(["LTRIM", failed, 3, -31], ["RPUSH", failed, entryOf(5_200 + calls)]);
        return reply;
      },
    };
    const { removed } = await removeFailed({ ...context, client }, { class: "Add" });
    const left = (await world.list(failed)).map((entry) => Number(/"args":\[(\d+)/.exec(entry)?.[1]) - 1_000);
    expect(left.filter((n) => n < 5_200 && n % 4 === 2)).toEqual([]);
    expect(removed).toBeGreaterThan(1_100);
  });

  test.each([
    ["retried", retryFailed],
    ["removed", removeFailed],
  ] as const)("what is gone between the look and the change is missing, not %s", async (name, change) => {
    const entries = range(3).map(entryOf);
    const { context } = world;
    for (const rest of [[], [entries[2] as string]]) {
      await world.flush();
      await world.fail(entries);
      let isFirst = true;
      const client = {
        ...context.client,
        script: async (...call: Parameters<typeof context.client.script>) => {
          const reply = await context.client.script(...call);
          if (isFirst) await world.send(["DEL", world.keys.failed]).then(() => world.fail(rest));
          isFirst = false;
          return reply;
        },
      };
      const ids = entries.map(idOf);
      const ended = await change({ ...context, client }, { ids });
      expect(ended).toMatchObject({ [name]: rest.length, missing: ids.slice(0, 3 - rest.length) });
      expect(await world.queued("mail")).toHaveLength(name === "retried" ? rest.length : 0);
    }
  });

  test("an id is found wherever it is in a list of 100,000, and changed there alone", { timeout: 60_000 }, async () => {
    const count = setup.server === "embedded" ? 12_000 : 100_000;
    const ruby = (n: number): string => WRITERS.ruby(n);
    await world.fail(range(count).map(ruby));
    const ids = [0, 1, Math.floor(count / 2), count - 1].map((n) => idOf(ruby(n)));
    expect(await retryFailed(world.context, { ids })).toMatchObject({ retried: 4, missing: [] });
    expect(await world.queued("mail")).toHaveLength(4);
    expect(await removeFailed(world.context, { ids: [idOf(ruby(7))] })).toMatchObject({ removed: 1 });
    const page = await listFailed(world.context, { order: "oldest", limit: 10 });
    expect(page.total).toBe(count - 1);
    expect(page.jobs.map(({ args, retriedAt }) => [args?.[0], retriedAt !== undefined])).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 8, 9, 10].map((n) => [n, n < 2]),
    );
  });
});
