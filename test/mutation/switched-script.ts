/** Stands in the sandbox for what scripts/build-lua.ts writes: tells which test uses a script, and may be another one. */
import type { LuaScript } from "../../src/resque/client.ts";
import type { ReplacedScript } from "./exchanged-scripts.ts";

interface Instrumented {
  readonly currentTestId?: string;
  readonly mutantCoverage?: { readonly perTest: Record<string, Record<string, number>> };
  readonly scripts?: Readonly<Record<string, ReplacedScript>>;
}

/** @param files what the script consists of */
export function switched(given: LuaScript, files: readonly string[]): LuaScript {
  const now = (): ReplacedScript => {
    const { currentTestId, mutantCoverage, scripts } = (globalThis as { __stryker__?: Instrumented }).__stryker__ ?? {};
    if (currentTestId !== undefined && mutantCoverage) {
      mutantCoverage.perTest[currentTestId] ??= {};
      for (const file of files) mutantCoverage.perTest[currentTestId]![file] = 1;
    }
    return scripts?.[given.name] ?? given;
  };
  return {
    name: given.name,
    get source() {
      return now().source;
    },
    get sha1() {
      return now().sha1;
    },
    get keyLockingSha1() {
      return now().keyLockingSha1;
    },
  };
}
