import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { bundleProcess } from "./bundle-process.ts";

test("a bundled process runs as its module does, and needs no other file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "airlift-bundle-"));
  try {
    const module = await bundleProcess(new URL("echo-process.ts", import.meta.url), folder);
    const args = [fileURLToPath(module), JSON.stringify({ name: "p", maxTicks: 1 })];
    const lines = execFileSync(process.execPath, args, { encoding: "utf8", cwd: folder }).trim().split("\n");
    // A machine that gave it no time for a while has a line of its own.
    const told = lines.map((line) => JSON.parse(line)).filter(({ standstillMs }) => standstillMs === undefined);
    expect(told).toEqual([{ up: true }, expect.objectContaining({ name: "p" })]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
