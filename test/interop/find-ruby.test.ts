import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findRuby } from "./ruby/find-ruby.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "airlift-find-ruby-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A program that answers as a Ruby would that has loaded, or not, what it was asked for. */
async function pretend(missing: object, status = 0): Promise<{ AIRLIFT_RUBY: string }> {
  const path = join(folder, `ruby-${status}`);
  const answer = JSON.stringify({ versions: { ruby: "3.1.2" }, missing });
  const input = `#!/bin/sh\ncat <<'E'\n${answer}\nE\nexit ${status}\n`;
  // Were it open here, a process that another test starts would hold it open for a moment, and nobody could run it: ETXTBSY.
  spawnSync("sh", ["-c", 'cat >"$0" && chmod 755 "$0"', path], { input });
  return { AIRLIFT_RUBY: path };
}

test("without AIRLIFT_RUBY there is none", () => {
  expect(findRuby({})).toBe("AIRLIFT_RUBY names no Ruby");
  expect(findRuby({ AIRLIFT_RUBY: "" })).toBe("AIRLIFT_RUBY names no Ruby");
});

test("one that cannot be started, or ends otherwise, is none", async () => {
  expect(findRuby({ AIRLIFT_RUBY: join(folder, "nowhere") })).toMatch(/nowhere cannot be started: .*ENOENT/);
  expect(findRuby(await pretend({}, 3))).toMatch(/ended with status 3/);
});

test("one that lacks a gem is none, and each that it lacks is named with the reason", async () => {
  const missing = { resque: "cannot load such file -- resque", active_job: "no" };
  expect(findRuby(await pretend(missing))).toMatch(
    /lacks resque \(cannot load such file -- resque\), active_job \(no\)$/,
  );
});

test("one that lacks resque-retry alone will do", async () => {
  expect(findRuby(await pretend({ "resque-retry": "no" }))).toMatchObject({ missing: { "resque-retry": "no" } });
});

test("the script ends with status 2 where there is none", () => {
  const script = new URL("ruby/side-by-side.ts", import.meta.url).pathname;
  const env = { ...process.env, AIRLIFT_RUBY: "" };
  const { status, stderr } = spawnSync(process.execPath, [script], { encoding: "utf8", env });
  expect(status).toBe(2);
  expect(stderr).toMatch(/AIRLIFT_RUBY names no Ruby\nusage: AIRLIFT_RUBY=/);
});
