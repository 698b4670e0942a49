import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { root } from "../../../scripts/entries.ts";
import { bundleFunction } from "../bundle-function.ts";
import { type HostProcess, startProcess } from "../host-process.ts";

const run = promisify(execFile);
const require = createRequire(new URL("../package.json", import.meta.url));
const VERCEL = fileURLToPath(new URL("../node_modules/vercel/dist/vc.js", import.meta.url));
/** Vercel's own launcher of functions: it finds the exports for the methods, makes requests, and keeps the process for `waitUntil`. */
const LAUNCHER = join(dirname(require.resolve("@vercel/node")), "dev-server.mjs");

/** What `vercel build` has made of functions/vercel/. */
export interface BuiltProject extends AsyncDisposable {
  /** What Vercel is told of routes and cron jobs. */
  readonly config: {
    readonly crons: readonly { readonly path: string; readonly schedule: string }[];
    readonly routes: readonly Record<string, unknown>[];
  };
  /** What Vercel is told of the function that serves a path; undefined if none does. */
  functionAt(
    path: string,
  ): Promise<{ readonly handler: string; readonly maxDuration: number; readonly runtime: string } | undefined>;
  /** Starts the function that serves a path. */
  start(path: string, env: Readonly<Record<string, string>>): Promise<RunningFunction>;
}

export interface RunningFunction extends HostProcess {
  /** Sends a request as Vercel's router does, whatever its path. */
  call(
    path: string,
    init?: { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string },
  ): Promise<Response>;
  /** Ends it as Vercel does: when what it has been told to wait for has ended. */
  shutDown(): Promise<void>;
}

/** Builds the project that would be deployed, and beside it `api/fixture`, which is `api/cron` with jobs of the test's. */
export async function buildProject(): Promise<BuiltProject> {
  const outdir = await mkdtemp(join(tmpdir(), "airlift-vercel-"));
  const folder = join(outdir, "vercel");
  const args = ["scripts/build-functions.ts", "vercel", "--outdir", outdir];
  const [fixture] = await Promise.all([
    bundleFunction("functions/vercel/cron.ts"),
    run(process.execPath, args, { cwd: fileURLToPath(root) }),
  ]);
  await cp(fixture.file, join(folder, "api/fixture.js"));
  await fixture[Symbol.asyncDispose]();
  await mkdir(join(folder, ".vercel"));
  const link = { projectId: "prj_test", orgId: "team_test", settings: { framework: null } };
  await writeFile(join(folder, ".vercel/project.json"), JSON.stringify(link));
  const quiet = { VERCEL_TELEMETRY_DISABLED: "1", NO_UPDATE_NOTIFIER: "1", CI: "1" };
  const build = run(process.execPath, [VERCEL, "build", "--yes"], {
    cwd: folder,
    env: { PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`, HOME: outdir, ...quiet },
  });
  build.child.stdin?.end();
  await build;

  const output = join(folder, ".vercel/output");
  const functionFolder = (path: string): string => join(output, "functions", `${path}.func`);
  const functionAt: BuiltProject["functionAt"] = async (path) => {
    const file = join(functionFolder(path), ".vc-config.json");
    return existsSync(file) ? JSON.parse(await readFile(file, "utf8")) : undefined;
  };
  return {
    config: JSON.parse(await readFile(join(output, "config.json"), "utf8")),
    functionAt,
    async start(path, env) {
      const handler = (await functionAt(path))?.handler ?? "";
      return launch(functionFolder(path), handler, env);
    },
    [Symbol.asyncDispose]: () => rm(outdir, { recursive: true, force: true }),
  };
}

async function launch(
  folder: string,
  entrypoint: string,
  env: Readonly<Record<string, string>>,
): Promise<RunningFunction> {
  const process_ = startProcess(process.execPath, [LAUNCHER], {
    cwd: folder,
    env: {
      ...{ VERCEL_DEV_ENTRYPOINT: entrypoint, VERCEL_DEV_CONFIG: "{}", VERCEL_DEV_BUILD_ENV: "{}" },
      // The launcher takes half of its time without it.
      NODE_COMPILE_CACHE: join(tmpdir(), "airlift-test-compile-cache"),
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const { port } = await new Promise<{ port: number }>((resolve, reject) => {
    process_.child.once("message", (message) => resolve(message as { port: number }));
    process_.ended.then(() => reject(new Error(`the function did not start: ${process_.output}`)), reject);
  });
  return Object.assign(Object.create(process_) as HostProcess, {
    call: (path: string, init: RequestInit = {}) => {
      const headers = { "x-forwarded-host": "project.example", "x-forwarded-proto": "https", ...init.headers };
      return fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers });
    },
    async shutDown() {
      process_.child.send("shutdown");
      await process_.ended;
    },
    [Symbol.asyncDispose]: () => process_[Symbol.asyncDispose](),
  }) as RunningFunction;
}
