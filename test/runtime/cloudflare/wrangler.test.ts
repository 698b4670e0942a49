import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root } from "../../../scripts/entries.ts";
import { openWorld, type World } from "../../conformance/world.ts";
import { setups } from "../../support/setups.ts";
import { startWorkerd } from "./workerd.ts";

const wrangler = join(dirname(createRequire(import.meta.url).resolve("wrangler/package.json")), "bin/wrangler.js");
const QUIET = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_WRITE_LOGS: "false",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  NO_COLOR: "1",
};
/** A Worker's size on the free plan, compressed. */
const MAX_WORKER_BYTES = 3_000_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "airlift-wrangler-"));
});
afterAll(async () => {
  // What wrangler leaves beside its configuration.
  for (const path of [folder, fileURLToPath(new URL("infra/cloudflare/.wrangler", root))]) {
    await rm(path, { recursive: true, force: true });
  }
});

/** What `wrangler deploy` would upload, and what it says of it. */
async function deploy(config: string): Promise<{ readonly said: string; readonly bundle: (name: string) => string }> {
  const outdir = join(folder, config);
  const secrets = join(folder, "secrets.env");
  writeFileSync(secrets, "UPSTASH_REDIS_REST_URL=https://eu1-example.upstash.io\nENQUEUE_TOKEN=secret\n");
  const named = ["-c", `infra/cloudflare/${config}.jsonc`, "--secrets-file", secrets];
  const args = [wrangler, "deploy", ...named, "--dry-run", "--outdir", outdir];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
    cwd: fileURLToPath(root),
    env: { ...process.env, ...QUIET },
  });
  return { said: stdout + stderr, bundle: (name) => readFileSync(join(outdir, `${name}.js`), "utf8") };
}

function expectToFit(bundle: string, maxBytes: number): void {
  expect(gzipSync(bundle).byteLength).toBeLessThan(Math.min(maxBytes, MAX_WORKER_BYTES));
  expect(bundle).not.toMatch(/(from|import|require)\s*\(?\s*["']node:/);
}

test("the Worker is deployed without a warning, and what wrangler has bundled drains", async () => {
  const { said, bundle } = await deploy("wrangler");
  expect(said).toMatch(/env\.AIRLIFT_PLAN \("free"\)/);
  expect(said).toMatch(/env\.ENQUEUE_TOKEN \("\(hidden\)"\)/);
  expect(said).not.toMatch(/warning|error/i);
  const script = bundle("worker");
  // Not minified: the tests' own packages, which the HTTP API can describe schemas of, are in it.
  expectToFit(script, 400_000);

  await using world: World = await openWorld(setups().findLast(({ transport }) => transport === "http") as never);
  const { url, token = "" } = world.setup;
  const bindings = { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token, AIRLIFT_PLAN: "free" };
  await using workerd = await startWorkerd([{ name: "airlift", script, bindings }]);
  await world.push("mail", JSON.stringify({ class: "SendEmail", args: ["ada@example.com", "Hello"] }));
  expect(await workerd.scheduled()).toBe("ok");
  expect(workerd.logged).toContainEqual(expect.objectContaining({ message: "drained", succeeded: 1 }));
});

test("so is the one that fans out, with its bindings", async () => {
  const { said } = await deploy("fanout");
  for (const line of [/REPORTS \(airlift-reports\)/, /DRAINS \(airlift-drains\)/, /IMAGES \(airlift-receiver#Jobs\)/]) {
    expect(said).toMatch(line);
  }
  expect(said).not.toMatch(/warning|error/i);
});

test("and the one that receives", async () => {
  const { said, bundle } = await deploy("receiver");
  expect(said).not.toMatch(/warning|error/i);
  expectToFit(bundle("receiver"), 100_000);
});
