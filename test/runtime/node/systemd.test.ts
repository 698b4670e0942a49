import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { root } from "../../../scripts/entries.ts";
import { type AppWorld, openAppWorld } from "../../core/app-world.ts";
import { setups } from "../../support/setups.ts";
import { until } from "../../support/until.ts";
import { startGate } from "../gate.ts";
import { type HostProcess, startProcess } from "../host-process.ts";
import { type InstalledApp, installApp } from "./installed-app.ts";

const UNITS = ["airlift-drain.service", "airlift-drain.timer", "airlift-work.service"] as const;
/** Where the units expect the app. */
const HOME = "/srv/airlift";
const GRACE_MS = 8_000;
const job = (name: string, ...args: readonly unknown[]): string => JSON.stringify({ class: name, args });

let app: InstalledApp;
let world: AppWorld;
/** The units, with the test's folders in them. */
const units = new Map<string, string>();

beforeAll(async () => {
  const [setup] = setups().filter(({ transport }) => transport === "http");
  if (!setup) throw new Error("no Redis over HTTP to test with");
  [app, world] = await Promise.all([installApp(), openAppWorld(setup)]);
  for (const name of UNITS) {
    const text = await readFile(new URL(`infra/systemd/${name}`, root), "utf8");
    units.set(name, text.replaceAll(HOME, app.folder));
  }
}, 120_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
beforeEach(() => world.flush());

/** The values of a setting, as systemd reads them. */
function settings(unit: (typeof UNITS)[number], name: string): string[] {
  const lines = units.get(unit)?.split("\n") ?? [];
  return lines.filter((line) => line.startsWith(`${name}=`)).map((line) => line.slice(name.length + 1));
}

/** Starts what a service starts. */
function start(unit: (typeof UNITS)[number]): HostProcess {
  const [command = "", ...args] = settings(unit, "ExecStart")[0]?.split(" ") ?? [];
  const [cwd = ""] = settings(unit, "WorkingDirectory");
  const { url, token = "" } = world.setup;
  const env = { PATH: app.env["PATH"], UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token };
  return startProcess(command, args, { cwd, env });
}

const hasSystemd = spawnSync("systemd-analyze", ["--version"], { stdio: "ignore" }).status === 0;

describe("the units", () => {
  test.runIf(hasSystemd)("systemd itself finds nothing wrong with them (where it is installed)", async () => {
    const folder = await mkdtemp(join(tmpdir(), "airlift-units-"));
    for (const [name, text] of units) await writeFile(join(folder, name), text);
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", ...UNITS.map((name) => join(folder, name))], {
      encoding: "utf8",
    });
    await rm(folder, { recursive: true });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  test("the timer starts the drain each minute, and a drain ends before the next", () => {
    expect(settings("airlift-drain.timer", "OnCalendar")).toEqual(["minutely"]);
    expect(settings("airlift-drain.service", "ExecStart")[0]).toContain(" --for 55s ");
    expect(settings("airlift-drain.service", "Type")).toEqual(["oneshot"]);
  });

  test.each(["airlift-drain.service", "airlift-work.service"] as const)(
    "%s is killed no sooner than its jobs are given back",
    (unit) => {
      const [seconds = ""] = settings(unit, "TimeoutStopSec");
      expect(Number.parseInt(seconds, 10) * 1_000).toBeGreaterThan(GRACE_MS + 2_000);
      expect(settings(unit, "KillMode")).toEqual(["mixed"]);
    },
  );
});

describe("what they start", () => {
  test("the drain works the queues and ends", async () => {
    await world.push("q", job("Note"), job("Note"));
    await using drain = start("airlift-drain.service");
    expect(await drain.ended).toBe(0);
    expect(JSON.parse(drain.output)).toMatchObject({ stopped: "empty", succeeded: 2, remaining: 0 });
    await world.expectNoTraces();
  });

  test("the worker works until systemctl stop, which lets a running job end", async () => {
    await using gate = await startGate();
    await world.push("q", job("Gate", gate.url));
    await using worker = start("airlift-work.service");
    await gate.reached(1);
    worker.signal("SIGTERM");
    await worker.sees(/SIGTERM: no more jobs are taken/);
    gate.open();
    expect(await worker.ended).toBe(0);
    expect(await world.get(world.keys.processed)).toBe("1");
    await world.expectNoTraces();
  });

  test("the worker is not started again after wrong usage", async () => {
    const wrong = startProcess(join(app.folder, "node_modules/.bin/airlift"), ["work", "--app", "missing.ts"], {
      cwd: app.folder,
      env: { PATH: app.env["PATH"] },
    });
    const status = await wrong.ended;
    expect(settings("airlift-work.service", "RestartPreventExitStatus")).toEqual([String(status)]);
    expect(await until(() => wrong.output)).toMatch(/missing\.ts/);
  });
});
