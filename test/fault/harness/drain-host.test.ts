import { afterEach, expect, test } from "vitest";
import { until } from "../../support/until.ts";
import type { ClockShift } from "./clock-shift.ts";
import { type DrainHost, type HostEvent, startDrainHost } from "./drain-host.ts";
import { monotonicMs } from "./monotonic.ts";

interface Line {
  readonly name: string;
  readonly nowMs: number;
  readonly newIso: string;
  readonly fixed: string;
  readonly atMs: number;
  readonly standstillMs?: number;
  readonly error?: string;
}

let host: DrainHost | undefined;
afterEach(() => host?.abort());

/** With all that its processes say and all that happens to them. */
function start(options: { clock?: ClockShift; maxTicks?: number; pauseMs?: number } = {}) {
  const lines: Line[] = [];
  const events: HostEvent[] = [];
  const { maxTicks, ...rest } = options;
  host = startDrainHost({
    ...{ name: "h", module: new URL("echo-process.ts", import.meta.url), ...rest },
    settingsOf: (name) => ({ name, maxTicks }),
    onLine: (line) => void lines.push(line as Line),
    onEvent: (event) => void events.push(event),
  });
  return { host, lines, events, said: (process: string) => lines.filter(({ name }) => name === process) };
}

const LONG = { timeoutMs: 30_000 };

test("a process that ends is followed by another, until the host is stopped", async () => {
  const { host, said, events } = start({ maxTicks: 3, pauseMs: 1 });
  await until(() => said("h.2").length > 0, LONG);
  await host.stop();
  expect(said("h.1")).toHaveLength(3);
  expect(host.current).toBeUndefined();
  const [first, second, third] = events;
  expect([first, second, third]).toMatchObject([
    { kind: "started", process: "h.1" },
    { kind: "ended", process: "h.1", status: "0" },
    { kind: "started", process: "h.2" },
  ]);
});

test("a process is up from its first tick on, until it ends", async () => {
  const { host, said } = start({ pauseMs: 60_000 });
  expect(host.isUp).toBe(false);
  await until(() => said("h.1").length > 0, LONG);
  expect(host.isUp).toBe(true);
  await host.kill();
  expect(host.isUp).toBe(false);
});

test("a process that is asked to end does so after its tick, on its own", async () => {
  const { host, said, events } = start();
  await until(() => said("h.1").length > 2, LONG);
  await host.stop();
  expect(events.map(({ kind, status }) => [kind, status])).toEqual([
    ["started", undefined],
    ["ended", "0"],
  ]);
});

test("a killed process says no more, and another takes its turn", async () => {
  const { host, said, events } = start({ pauseMs: 1 });
  await until(() => said("h.1").length > 0, LONG);
  expect(await host.kill()).toBe(true);
  const count = said("h.1").length;
  await until(() => said("h.2").length > 0, LONG);
  expect(said("h.1")).toHaveLength(count);
  expect(events.slice(0, 3)).toMatchObject([
    { kind: "started" },
    { kind: "killed" },
    { kind: "ended", status: "SIGKILL" },
  ]);
});

test("a frozen process stands still until it is thawed, and knows it afterwards", async () => {
  const { host, said, lines, events } = start();
  await until(() => said("h.1").length > 2, LONG);
  expect(host.thaw()).toBe(false);
  expect(await host.freeze()).toBe(true);
  expect(await host.freeze()).toBe(false);
  const frozenMs = monotonicMs();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const thawedMs = monotonicMs();
  expect(host.isFrozen).toBe(true);
  expect(host.thaw()).toBe(true);
  // It may have been kept from its processor before, for less.
  await until(() => lines.some(({ standstillMs = 0 }) => standstillMs > thawedMs - frozenMs), LONG);
  await until(() => said("h.1").some(({ atMs }) => atMs > thawedMs), LONG);
  expect(said("h.1").filter(({ atMs }) => atMs > frozenMs && atMs < thawedMs)).toEqual([]);
  const kinds = events.map(({ kind }) => kind);
  expect(kinds).toEqual(["started", "frozen", "thawed"]);
  const [, frozen, thawed] = events;
  expect(frozen?.atMs).toBeLessThanOrEqual(frozenMs);
  expect(thawed?.atMs).toBeGreaterThanOrEqual(thawedMs);
});

test("a frozen process can be killed", async () => {
  const { host, said, events } = start({ pauseMs: 60_000 });
  await until(() => said("h.1").length > 0, LONG);
  await host.freeze();
  expect(await host.kill()).toBe(true);
  expect(events.map(({ kind }) => kind)).toEqual(["started", "frozen", "killed", "ended"]);
  expect(await host.kill()).toBe(false);
  expect(await host.freeze()).toBe(false);
});

test("what a tick throws is told, and the next tick comes", async () => {
  const { host, lines, said } = start({ maxTicks: 2 });
  await until(() => said("h.2").length > 0, LONG);
  await host.stop();
  expect(lines.filter(({ error }) => error === "TypeError: no").length).toBeGreaterThanOrEqual(2);
});

test.each([3_600_000, -7_200_000])("a process can be %i ms away from the right time", async (offsetMs) => {
  const { said } = start({ clock: { offsetMs } });
  const [line] = await until(() => said("h.1").length > 0 && said("h.1"), LONG);
  for (const shown of [line?.nowMs, Date.parse(line?.newIso ?? "")]) {
    expect(Math.abs((shown ?? 0) - Date.now() - offsetMs)).toBeLessThan(30_000);
  }
  expect(line?.fixed).toBe("1970-01-01T00:00:00.000Z");
  expect(Math.abs((line?.atMs ?? 0) - monotonicMs())).toBeLessThan(30_000);
});

test.each([500, -500])("a process's clock can gain %i ms a second", async (driftMsPerSecond) => {
  const { said } = start({ clock: { driftMsPerSecond } });
  const spanMs = ([first, last]: readonly (Line | undefined)[]) => (last?.atMs ?? 0) - (first?.atMs ?? 0);
  // Long enough that it does not matter if the process is held up between its looks at the one clock and the other.
  const ends = () => [said("h.1")[0], said("h.1").at(-1)] as const;
  const [first, last] = await until(() => spanMs(ends()) > 1_500 && (ends() as readonly [Line, Line]), LONG);
  const realMs = spanMs([first, last]);
  expect(Math.abs((last.nowMs - first.nowMs) / realMs - (1 + driftMsPerSecond / 1_000))).toBeLessThan(0.1);
});
