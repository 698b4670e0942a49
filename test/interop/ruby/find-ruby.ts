import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What the tests beside Ruby are about; the Gemfile beside this file names where to get it. */
export type RubyGem = "resque" | "resque-scheduler" | "resque-retry" | "active_job" | "webrick";

/** The Ruby that AIRLIFT_RUBY names. */
export interface FoundRuby {
  readonly executable: string;
  /** By name, of Ruby itself and of each gem that it could load. */
  readonly versions: Readonly<Record<string, string>>;
  /** Why a gem could not be loaded. */
  readonly missing: Readonly<Partial<Record<RubyGem, string>>>;
}

/** Without these there is nothing to compare with. */
const REQUIRED: readonly RubyGem[] = ["resque", "resque-scheduler", "active_job", "webrick"];

/** The folder of the Ruby programs. */
export const PROGRAMS: string = fileURLToPath(new URL(".", import.meta.url));

/**
 * Asks the Ruby that AIRLIFT_RUBY names for its gems. Where to look for them it is told as any Ruby is: by RUBYLIB, GEM_PATH, BUNDLE_GEMFILE.
 *
 * @returns why there is none, if there is none
 */
export function findRuby(env: NodeJS.ProcessEnv = process.env): FoundRuby | string {
  const executable = env["AIRLIFT_RUBY"];
  if (!executable) return "AIRLIFT_RUBY names no Ruby";
  const { status, stdout, stderr, error } = spawnSync(executable, ["check.rb"], {
    ...{ cwd: PROGRAMS, encoding: "utf8", env: { ...env, RUBYOPT: rubyOptions(env) } },
  });
  if (error) return `AIRLIFT_RUBY: ${executable} cannot be started: ${error.message}`;
  if (status !== 0) return `AIRLIFT_RUBY: ${executable} ended with status ${status}: ${stderr.trim()}`;
  const ruby = { executable, ...(JSON.parse(stdout) as Omit<FoundRuby, "executable">) };
  const lacks = REQUIRED.filter((gem) => gem in ruby.missing).map((gem) => `${gem} (${ruby.missing[gem]})`);
  return lacks.length === 0 ? ruby : `AIRLIFT_RUBY: ${executable} lacks ${lacks.join(", ")}`;
}

/** The gems' own warnings are not what a failed test should show first. */
export function rubyOptions(env: NodeJS.ProcessEnv): string {
  return `${env["RUBYOPT"] ?? ""} -W0`.trim();
}

let found: FoundRuby | string | undefined;

/** @throws Error if there is none */
export function theRuby(): FoundRuby {
  found ??= findRuby();
  if (typeof found === "string") throw new Error(found);
  return found;
}
