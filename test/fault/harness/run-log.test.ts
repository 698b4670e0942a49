import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openRunLog, readRunLog } from "./run-log.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "airlift-log-"));
  file = join(folder, "runs.tsv");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("what several processes wrote until they were killed is there, each line whole and in the order of its process", async () => {
  const module = JSON.stringify(new URL("run-log.ts", import.meta.url).href);
  const script = `
    const { openRunLog } = await import(${module});
    const log = openRunLog(${JSON.stringify(file)}, process.argv[1]);
    for (let n = 0; ; n++) {
      log.write("start", String(n), "x".repeat(300));
      if (n === 2000) process.kill(process.pid, "SIGKILL");
    }`;
  await Promise.all(
    ["a", "b", "c"].map(async (name) => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", script, name], { stdio: "ignore" });
      const [, signal] = await once(child, "exit");
      expect(signal).toBe("SIGKILL");
    }),
  );
  const lines = readRunLog(file);
  for (const name of ["a", "b", "c"]) {
    const own = lines.filter((line) => line.process === name);
    expect(own.map(({ job }) => Number(job))).toEqual(Array.from({ length: 2_001 }, (_, n) => n));
    const times = own.map(({ atMs }) => atMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  }
  expect(lines).toHaveLength(3 * 2_001);
});

test("a log that is not what was written is not read over", () => {
  writeFileSync(file, "");
  expect(readRunLog(file)).toEqual([]);
  const log = openRunLog(file, "p");
  log.write("start", "1");
  log.close();
  expect(readRunLog(file)).toMatchObject([{ process: "p", phase: "start", job: "1", note: "" }]);
  appendFileSync(file, "nonsense\n");
  expect(() => readRunLog(file)).toThrow("line 2 of");
  appendFileSync(file, "1.0\tp\tend");
  expect(() => readRunLog(file)).toThrow("cut off");
});
