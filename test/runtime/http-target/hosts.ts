import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { EdgeRuntime, runServer } from "edge-runtime";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

/** A host in which server.ts runs. */
export interface RunningHost extends AsyncDisposable {
  readonly url: string;
}

export interface Host {
  readonly name: "workerd" | "edge-runtime" | "deno" | "bun";
  start(): Promise<RunningHost>;
}

export const HOSTS: readonly Host[] = [
  { name: "workerd", start: startWorkerd },
  { name: "edge-runtime", start: startEdgeRuntime },
  {
    name: "deno",
    start: () => startProcess("deno", ["run", "--quiet", "--no-config", "--allow-net=127.0.0.1", "--allow-env"], DENO),
  },
  { name: "bun", start: () => startProcess("bun", ["run"], BUN) },
];

const FETCH_HANDLER = "export default { fetch: handle };";
const EDGE = 'addEventListener("fetch", (event) => event.respondWith(handle(event.request)));';
const DENO = 'Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) => console.log(port) }, handle);';
const BUN = 'console.log(Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: handle }).port);';

/** As the hosts' own tools bundle it: without anything of Node. */
async function bundle(entry: string, format: "esm" | "iife"): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import { handle } from "./server.ts";\n${entry}`,
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
      loader: "ts",
    },
    bundle: true,
    write: false,
    format,
    platform: "browser",
    conditions: ["workerd", "worker", "edge-light"],
    target: "es2024",
    logLevel: "silent",
  });
  return outputFiles[0]?.text ?? "";
}

async function startWorkerd(): Promise<RunningHost> {
  const script = await bundle(FETCH_HANDLER, "esm");
  const options = { modules: true, script, compatibilityDate: "2026-01-01", cf: false } as const;
  const miniflare = new Miniflare(convertV4MiniflareOptions(options));
  const url = (await miniflare.ready).origin;
  return { url, [Symbol.asyncDispose]: () => miniflare.dispose() };
}

async function startEdgeRuntime(): Promise<RunningHost> {
  const runtime = new EdgeRuntime({ initialCode: await bundle(EDGE, "iife") });
  const { url, close } = await runServer({ runtime, port: 0, host: "127.0.0.1" });
  return { url: new URL(url).origin, [Symbol.asyncDispose]: async () => void (await close()) };
}

async function startProcess(command: string, args: readonly string[], entry: string): Promise<RunningHost> {
  const folder = await mkdtemp(join(tmpdir(), "airlift-host-"));
  const file = join(folder, "server.mjs");
  await writeFile(file, await bundle(entry, "esm"));
  const path = fileURLToPath(new URL(`../node_modules/.bin/${command}`, import.meta.url));
  const child = spawn(path, [...args, file], { stdio: ["ignore", "pipe", "inherit"] });
  const [port] = await once(createInterface(child.stdout), "line");
  const close = async (): Promise<void> => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  };
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: close };
}

async function end(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
