import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "../support/until.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** Starting from sources takes a third of the time with it. */
const COMPILE_CACHE = join(tmpdir(), "airlift-test-compile-cache");

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** @default nothing, closed */
  readonly input?: string;
}

/** How a run of the command line ended. */
export interface CliResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The `airlift` command in a process of its own. */
export interface RunningCli {
  readonly stdout: string;
  readonly stderr: string;
  signal(name: NodeJS.Signals): void;
  readonly ended: Promise<CliResult>;
}

/** Starts the real command line, in an environment that names no Redis. */
export function startCli(args: readonly string[], options: CliOptions = {}): RunningCli {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd ?? tmpdir(),
    env: { PATH: process.env["PATH"], NO_COLOR: "1", TZ: "UTC", NODE_COMPILE_CACHE: COMPILE_CACHE, ...options.env },
  });
  child.stdin.on("error", () => undefined); // A command that ends early does not read all of its input.
  child.stdin.end(options.input ?? "");
  return watch(child);
}

/** Runs it to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return startCli(args, options).ended;
}

function watch(child: ChildProcess): RunningCli {
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  const ended = once(child, "close").then(([status]: unknown[]): CliResult => {
    return { status: status as number | null, ...output };
  });
  return {
    get stdout() {
      return output.stdout;
    },
    get stderr() {
      return output.stderr;
    },
    signal: (name) => void child.kill(name),
    ended,
  };
}

/** `until`, with the patience that processes on a busy machine need. */
export const eventually: typeof until = (condition) => until(condition, { timeoutMs: 30_000 });

/** A directory for the files of one test, removed with it. */
export interface TestDirectory extends AsyncDisposable {
  readonly path: string;
  /** Writes a file and returns its path. */
  write(name: string, text: string): Promise<string>;
}

/** Makes an empty directory outside of the repository, so that nothing installed here can be found from it. */
export async function makeDirectory(): Promise<TestDirectory> {
  const path = await mkdtemp(join(tmpdir(), "airlift-cli-"));
  return {
    path,
    async write(name, text) {
      const file = join(path, name);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
      return file;
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}
