/**
 * Runs in the tests' thread before each test file: switches the mutant on before any source is loaded, or records which test reaches which mutant.
 * Copied into the sandbox, so it imports nothing of its folder.
 */
import { afterAll, afterEach, beforeEach, inject } from "vitest";

/** The names are those of Stryker's instrumenter. */
interface Instrumented {
  activeMutant?: string | undefined;
  hitCount?: number;
  hitLimit?: number;
  currentTestId?: string | undefined;
  mutantCoverage?: { static: Record<string, number>; perTest: Record<string, Record<string, number>> };
  /** By their names: what scripts are replaced by. */
  scripts?: Record<string, unknown>;
}

const { activation } = inject("mutation" as never) as {
  readonly activation?:
    | { readonly kind: "switch"; readonly id: string; readonly hitLimit: number }
    | { readonly kind: "scripts"; readonly scripts: readonly { readonly name: string }[] };
};
const globals = globalThis as { __stryker__?: Instrumented };
globals.__stryker__ ??= {};
const instrumented = globals.__stryker__;

if (activation?.kind === "switch") {
  instrumented.activeMutant = activation.id;
  instrumented.hitCount ??= 0;
  instrumented.hitLimit = activation.hitLimit;
} else if (activation?.kind === "scripts") {
  instrumented.scripts = Object.fromEntries(activation.scripts.map((script) => [script.name, script]));
} else {
  instrumented.mutantCoverage ??= { static: {}, perTest: {} };
  const { mutantCoverage } = instrumented;
  beforeEach(({ task }) => {
    instrumented.currentTestId = task.id;
  });
  afterEach(({ task }) => {
    instrumented.currentTestId = undefined;
    // What runs on after its test is nobody's.
    Object.assign(task.meta, { covers: mutantCoverage.perTest[task.id] ?? {} });
  });
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern which fixtures a hook wants
  afterAll(({}, suite) => {
    Object.assign(suite.meta, { covers: { ...mutantCoverage.static } });
  });
}
