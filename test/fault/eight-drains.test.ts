import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { DrainReport, StartRequest } from "../../src/index.ts";
import { openWorld, payloads, type World } from "../conformance/world.ts";
import { setups } from "../support/setups.ts";
import { until } from "../support/until.ts";

const PROCESS = fileURLToPath(new URL("drain-process.ts", import.meta.url));

interface Ended {
  readonly report: DrainReport;
  readonly ran: readonly number[];
}

const real = setups().filter(({ server }) => server === "redis-server");

describe.each(real.length > 0 ? real : setups())("drains in processes of their own over $name", (kind) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld(kind);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test("one tick becomes eight drains that share the jobs, each of which runs once", { timeout: 120_000 }, async () => {
    const jobs = 4_000;
    await world.push("q", ...payloads(jobs));
    const drains: Promise<Ended>[] = [];
    const asked: StartRequest[] = [];
    const errors: string[] = [];
    const start = (depth: number): void => {
      const { url, token } = world.setup;
      const child = spawn(process.execPath, [PROCESS, JSON.stringify({ url, token, depth })]);
      child.stderr.on("data", (text) => errors.push(String(text)));
      const ended = new Promise<Ended>((resolve, reject) => {
        child.on("close", (status) => reject(new Error(`a drain's process has ended with ${status}: ${errors}`)));
        createInterface({ input: child.stdout }).on("line", (line) => {
          const said = JSON.parse(line) as Ended | { readonly start: StartRequest };
          if ("report" in said) return resolve(said);
          asked.push(said.start);
          start(said.start.depth);
        });
      });
      drains.push(ended);
      onTestFinished(() => void child.kill("SIGKILL"));
    };
    start(0);

    // Each holds as many jobs as it can run: these are drains at the same time, not one after another.
    const live = async () => Number((await world.send(["ZCARD", world.keys.drains]))[0]);
    await until(async () => (await live()) === 8, { timeoutMs: 60_000 });
    await world.send(["SET", "go", "1"]);
    const ended = await Promise.all(drains);

    expect(asked).toHaveLength(7);
    expect(asked.every(({ reason, depth }) => reason === "sibling" && depth === 1)).toBe(true);
    const reports = ended.map(({ report }) => report);
    expect(reports.map(({ stopped, lost, failed, recovered }) => [stopped, lost, failed, recovered])).toEqual(
      Array(8).fill(["empty", 0, 0, 0]),
    );
    expect(Math.min(...reports.map(({ succeeded }) => succeeded))).toBeGreaterThan(0);
    const ran = ended.flatMap((each) => each.ran).sort((a, b) => a - b);
    expect(ran).toEqual(Array.from({ length: jobs }, (_, n) => n));
    expect(await world.get(world.keys.processed)).toBe(String(jobs));
    // Beside it is left, for a minute, what says that drains have just been started.
    const left = (await world.keyNames()).filter((name) => name !== world.keys.scaling);
    expect(left).toEqual(["go", world.keys.queues, world.keys.processed].sort());
  });
});
