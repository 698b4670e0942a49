/** Stands in the sandbox for what scripts/build-lua.ts writes: tells which test uses a script, and may be another one. Imports nothing of its folder. */
import type { LuaScript } from "../../src/resque/client.ts";

interface Instrumented {
  readonly currentTestId?: string;
  readonly mutantCoverage?: { readonly perTest: Record<string, Record<string, number>> };
  readonly scripts?: Record<string, Pick<LuaScript, "source" | "sha1" | "keyLockingSha1">>;
}

export function switched(given: LuaScript, files: readonly string[]): LuaScript {
  const globals = globalThis as { __stryker__?: Instrumented };
  globals.__stryker__ ??= {};
  const instrumented = globals.__stryker__;
  const script = { ...given, ...instrumented.scripts?.[given.name] };
  const cover = (): void => {
    const { currentTestId, mutantCoverage } = instrumented;
    if (currentTestId === undefined || !mutantCoverage) return;
    mutantCoverage.perTest[currentTestId] ??= {};
    for (const file of files) mutantCoverage.perTest[currentTestId]![file] = 1;
  };
  return {
    name: given.name,
    get source() {
      cover();
      return script.source;
    },
    get sha1() {
      cover();
      return script.sha1;
    },
    get keyLockingSha1() {
      cover();
      return script.keyLockingSha1;
    },
  };
}
