import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { root } from "../../../scripts/entries.ts";

const run = promisify(execFile);
const require = createRequire(new URL("../package.json", import.meta.url));

/** What serverless.yml asks the environment for, none of it real. */
export const SECRETS = {
  UPSTASH_REDIS_REST_URL: "https://example.upstash.io",
  UPSTASH_REDIS_REST_TOKEN: "redis-token",
  ENQUEUE_TOKEN: "enqueue-token",
  OPERATE_TOKEN: "operate-token",
} as const;

/** So that osls asks nobody anything. */
export const QUIET = { SLS_TELEMETRY_DISABLED: "1", SLS_NOTIFICATIONS_MODE: "off", CI: "1" } as const;

export const OSLS: string = require.resolve("serverless/bin/serverless.js");

export interface Resource {
  readonly Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: as the template has it, which the tests compare
  readonly Properties: Readonly<Record<string, any>>;
}

/** What would be deployed. */
export interface PackagedService extends AsyncDisposable {
  /** Of the CloudFormation template, by logical id. */
  readonly resources: Readonly<Record<string, Resource>>;
  /** Unpacks a function's zip into a folder of its own. */
  unpack(name: string): Promise<{ readonly taskRoot: string; readonly files: readonly string[] }>;
}

/** `osls package`, with serverless.yml as it stands. */
export async function packageService(env: Readonly<Record<string, string>> = SECRETS): Promise<PackagedService> {
  const folder = await mkdtemp(join(tmpdir(), "airlift-package-"));
  const child = run(process.execPath, [OSLS, "package", "--package", folder], {
    cwd: fileURLToPath(root),
    env: { PATH: process.env["PATH"], HOME: folder, ...QUIET, ...env },
  });
  child.child.stdin?.end();
  await child;
  const template = JSON.parse(await readFile(join(folder, "cloudformation-template-update-stack.json"), "utf8"));
  return {
    resources: template.Resources,
    unpack: (name) => unzip(join(folder, `${name}.zip`), join(folder, name)),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function unzip(file: string, taskRoot: string): Promise<{ taskRoot: string; files: string[] }> {
  // serverless-offline unpacks by it, so it is there; it has no types.
  const zip = await require("jszip").loadAsync(await readFile(file));
  const files = Object.keys(zip.files).filter((name) => !name.endsWith("/"));
  for (const name of files) {
    await mkdir(dirname(join(taskRoot, name)), { recursive: true });
    await writeFile(join(taskRoot, name), await zip.file(name).async("nodebuffer"));
  }
  return { taskRoot, files: files.toSorted() };
}
