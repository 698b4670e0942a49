import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { root } from "../../../scripts/entries.ts";
import { freePort } from "../../support/redis.ts";
import { until } from "../../support/until.ts";
import { buildBundles } from "./bundles.ts";
import { OSLS, QUIET } from "./package-service.ts";

/** The service of serverless.yml in serverless-offline. */
export interface Emulator extends AsyncDisposable {
  /** The HTTP API. */
  readonly url: string;
  /** The API of Lambda. */
  readonly lambdaUrl: string;
  /** What it and the functions wrote. */
  readonly lines: readonly string[];
}

const RUNTIMES = fileURLToPath(new URL("../node_modules", import.meta.url));
const CLOCK = new URL("near-minute.ts", import.meta.url).href;

/** @param env what serverless.yml asks for */
export async function startEmulator(env: Readonly<Record<string, string>>): Promise<Emulator> {
  const { taskRoot, ...bundles } = await buildBundles();
  await symlink(RUNTIMES, join(taskRoot, "node_modules"));
  await writeFile(join(taskRoot, "serverless.yml"), await emulatedService());
  const [httpPort, lambdaPort, albPort] = [await freePort(), await freePort(), await freePort()];
  const lambdaUrl = `http://127.0.0.1:${lambdaPort}`;
  const ports = ["--httpPort", `${httpPort}`, "--lambdaPort", `${lambdaPort}`, "--albPort", `${albPort}`];
  const child = spawn(process.execPath, [OSLS, "offline", "start", "--host", "127.0.0.1", "--noSponsor", ...ports], {
    cwd: taskRoot,
    env: {
      PATH: process.env["PATH"],
      HOME: taskRoot,
      NODE_OPTIONS: `--import ${CLOCK}`,
      AWS_ENDPOINT_URL_LAMBDA: lambdaUrl,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      ...QUIET,
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) createInterface(stream).on("line", (line) => lines.push(line));
  const exited = once(child, "exit");
  await until(
    () => {
      if (child.exitCode !== null) throw new Error(lines.join("\n"));
      return lines.some((line) => line.includes("Server ready"));
    },
    { timeoutMs: 40_000 },
  );
  return {
    url: `http://127.0.0.1:${httpPort}`,
    lambdaUrl,
    lines,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
      await bundles[Symbol.asyncDispose]();
    },
  };
}

/** serverless.yml as it stands, with another plugin: the bundles are there. */
async function emulatedService(): Promise<string> {
  const text = await readFile(new URL("serverless.yml", root), "utf8");
  const emulated = text.replace(/- \.\/scripts\/osls-build\.js.*/, "- serverless-offline");
  if (emulated === text) throw new Error("serverless.yml does not name the plugin that is replaced here");
  return emulated;
}
