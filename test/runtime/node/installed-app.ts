import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { startRegistry } from "./registry.ts";

const run = promisify(execFile);

/** A folder with an app of a user's, in which airlift has been installed by npm. */
export interface InstalledApp extends AsyncDisposable {
  readonly folder: string;
  /** What npm needs to install it again. */
  readonly env: Readonly<Record<string, string>>;
}

/** `Gate` waits for the test; `Stuck` waits for ever. Jobs have little time to end when the process is to stop. */
const JOBS = `
  import { createAirlift, defineJob } from "airlift";
  import { upstash } from "airlift/redis/upstash";

  const note = defineJob({ class: "Note", perform: () => undefined });
  const gate = defineJob<[url: string]>({ class: "Gate", perform: async ([url]) => void (await fetch(url, { method: "POST" })) });
  const stuck = defineJob<[url: string]>({
    class: "Stuck",
    perform: async ([url]) => {
      await fetch(url, { method: "POST" });
      await new Promise(() => undefined);
    },
  });
  export const airlift = createAirlift({ redis: upstash(), queues: ["*"], graceMs: 500, jobs: [note, gate, stuck] });
`;

/** `npm install airlift`, as a user would in a new folder. */
export async function installApp(): Promise<InstalledApp> {
  const outside = await mkdtemp(join(tmpdir(), "airlift-app-"));
  const folder = join(outside, "app");
  const registry = await startRegistry();
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
    HOME: outside,
    npm_config_registry: registry.url,
    npm_config_cache: join(outside, "cache"),
    npm_config_update_notifier: "false",
  };
  await mkdir(folder);
  await writeFile(join(folder, "jobs.ts"), JOBS);
  await writeFile(join(folder, "package.json"), '{ "name": "app", "private": true, "type": "module" }\n');
  await run("npm", ["install", "airlift", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: folder, env });
  return {
    folder,
    env,
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]();
      await rm(outside, { recursive: true, force: true });
    },
  };
}
