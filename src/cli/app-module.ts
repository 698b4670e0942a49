import { statSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { createJiti } from "jiti";
import type { Airlift, EnqueueRequest } from "../airlift.ts";
import { UsageError } from "../core/errors.ts";
import type { JobDefinition } from "../core/job.ts";
import { loadOwnModules, readOwnPackage } from "./own-modules.ts";

// biome-ignore lint/suspicious/noExplicitAny: definitions of any args, as createAirlift takes them
export type AnyJob = JobDefinition<any>;

/** What an `--app` module holds: jobs alone, or an Airlift with its own options. */
export interface App {
  readonly file: string;
  readonly jobs: readonly AnyJob[];
  /** The app's own, if it exports one. Its options stand where the command line says nothing. */
  readonly airlift?: Airlift;
  /** Jobs that `airlift dev` enqueues at its start. */
  readonly samples: readonly EnqueueRequest[];
}

const EXPECTED = "expected `export const jobs = [defineJob(…)]`, or an Airlift as `airlift` or the default export";

/**
 * Loads an app written in TypeScript or JavaScript, on any Node, without a build: enums, namespaces, parameter properties,
 * `paths` of its tsconfig.json and imports without extensions included.
 *
 * @throws UsageError in one line if there is no such file, it does not load, or it holds no jobs
 */
export async function loadApp(path: string): Promise<App> {
  const file = isAbsolute(path) ? path : resolve(path);
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
    throw new UsageError(`--app ${path}: no such file`);
  }
  const virtualModules = await loadOwnModules(readOwnPackage());
  let module: Record<string, unknown>;
  try {
    // No cache on disk: it would stand in a directory that everyone on the machine may write to.
    const jiti = createJiti(file, { virtualModules, interopDefault: false, fsCache: false, tsconfigPaths: true });
    module = await jiti.import<Record<string, unknown>>(file);
  } catch (error) {
    throw new UsageError(`--app ${path}: ${describeLoadError(error, file)}`, { cause: error });
  }
  try {
    return readApp(module, path, file);
  } catch (error) {
    // What it exports may be anything, and throw when it is looked at.
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--app ${path}: ${describeLoadError(error, file)}`, { cause: error });
  }
}

function readApp(module: Record<string, unknown>, path: string, file: string): App {
  const fallback = module["default"];
  const samples = Array.isArray(module["samples"]) ? (module["samples"] as EnqueueRequest[]) : [];
  for (const candidate of [module["airlift"], fallback, (fallback as { airlift?: unknown } | undefined)?.airlift]) {
    if (!isAirlift(candidate)) continue;
    if (candidate.options.jobs.length === 0) throw new UsageError(`--app ${path}: its Airlift has no jobs`);
    return { file, jobs: candidate.options.jobs, airlift: candidate, samples };
  }
  for (const candidate of [module["jobs"], fallback, (fallback as { jobs?: unknown } | undefined)?.jobs]) {
    if (!Array.isArray(candidate)) continue;
    if (candidate.length === 0) throw new UsageError(`--app ${path}: its list of jobs is empty; ${EXPECTED}`);
    for (const [index, job] of candidate.entries()) checkJob(job, index, path);
    return { file, jobs: candidate as AnyJob[], samples };
  }
  const names = Object.keys(module).filter((name) => name !== "__esModule");
  throw new UsageError(`--app ${path}: no jobs in it; ${EXPECTED}; it exports ${names.join(", ") || "nothing"}`);
}

function checkJob(job: unknown, index: number, path: string): void {
  const { class: name, perform } = (job ?? {}) as { class?: unknown; perform?: unknown };
  if (typeof name === "string" && name !== "" && typeof perform === "function") return;
  throw new UsageError(`--app ${path}: jobs[${index}] is no job; expected { class: "Name", perform: function }`);
}

/** By shape: an app may have been given another copy of this package. */
function isAirlift(value: unknown): value is Airlift {
  const { drain, enqueue, options } = (value ?? {}) as Partial<Airlift>;
  return typeof drain === "function" && typeof enqueue === "function" && Array.isArray(options?.jobs);
}

function toText(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "a value that has no text";
  }
}

/** The error's first line, with the place in the app that it comes from. */
function describeLoadError(error: unknown, file: string): string {
  if (!(error instanceof Error)) return `it throws ${toText(error)}`;
  const [first = "", second = ""] = error.message.split("\n").map((line) => line.trim());
  // The compiler puts the place of a syntax error into the message's second line.
  const message = /:\d+:\d+$/.test(second) ? `${first} at ${second}` : first;
  if (message.includes(file)) return message;
  const frame = error.stack?.split("\n").find((line) => line.includes(file));
  const place = frame?.match(/([^\s(]+:\d+:\d+)\)?$/)?.[1];
  return place ? `${message} at ${place}` : message;
}
