/**
 * A process that runs tests of the sandbox with one mutant after the other. Each run is a new thread, so no mutant meets what another has left in memory.
 * Told by messages what to run; tells of each test that begins, so that whoever waits knows which one hangs.
 */
import { join } from "node:path";
import { BaseSequencer, createVitest, type TestCase, type TestModule, type TestSpecification } from "vitest/node";
import type { Activation } from "./mutant.ts";

export interface Order {
  readonly activation?: Activation;
  /** In the order in which to run them; all of a file's tests without names. */
  readonly files: readonly { readonly file: string; readonly names?: readonly string[] }[];
}

export interface TestReport {
  readonly file: string;
  readonly name: string;
  readonly ms: number;
  readonly state: "passed" | "failed" | "skipped" | "pending";
  readonly covers: Readonly<Record<string, number>>;
}

export type News =
  | { readonly kind: "ready" }
  /** Something new has begun: a test, or what lies before and after them. */
  | { readonly kind: "began"; readonly test?: string }
  | {
      readonly kind: "ended";
      readonly tests: readonly TestReport[];
      /** Of all that was loaded and did not belong to a test. */
      readonly loads: Readonly<Record<string, number>>;
      readonly error?: string;
    };

const [sandbox = ""] = process.argv.slice(2);
/** Nobody may listen any more. */
const tell = (news: News): void => void (process.connected && process.send?.(news));
process.chdir(sandbox);

class AsTold extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files;
  }
}

const idOf = (test: TestCase): string => `${test.module.relativeModuleId}#${test.fullName}`;
const vitest = await createVitest("test", {
  root: sandbox,
  config: join(sandbox, "vitest.config.ts"),
  watch: false,
  maxWorkers: 1,
  maxConcurrency: 1,
  bail: 1,
  sequence: { sequencer: AsTold },
  setupFiles: [join(sandbox, "test/mutation-setup.ts")],
  // Whoever waits for this process decides when a test hangs: it sees whether the machine is busy.
  testTimeout: 600_000,
  hookTimeout: 600_000,
  teardownTimeout: 600_000,
  onConsoleLog: () => false,
  reporters: [
    {
      onTestModuleStart: () => tell({ kind: "began" }),
      onTestCaseReady: (test) => tell({ kind: "began", test: idOf(test) }),
      onTestCaseResult: () => tell({ kind: "began" }),
    },
  ],
});
const [project] = vitest.projects;
if (!project) throw new Error("vitest found no project in the sandbox");

process.on("message", async ({ activation, files }: Order) => {
  vitest.provide("mutation" as never, { activation } as never);
  vitest.config.bail = activation ? 1 : 0;
  for (const { config } of vitest.projects) config.bail = vitest.config.bail;
  vitest.state.filesMap.clear();
  vitest.state.errorsSet.clear();
  const specifications = files.map(({ file, names }) =>
    project.createSpecification(join(sandbox, file), names && { testNames: [...names] }),
  );
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications);
  const tests = testModules.flatMap((module) => [...module.children.allTests()]).map(report);
  const loads = Object.assign(
    {},
    ...testModules.map((module) => module.meta() as { covers?: object }).map((meta) => meta.covers),
  );
  const error = String((unhandledErrors[0] as Error | undefined)?.message ?? errorOf(testModules) ?? "");
  tell({ kind: "ended", tests, loads, ...(error !== "" && { error }) });
});

function report(test: TestCase): TestReport {
  const { covers = {} } = test.meta() as { covers?: Record<string, number> };
  const ms = test.diagnostic()?.duration ?? 0;
  return { file: test.module.relativeModuleId, name: test.fullName, ms, state: test.result().state, covers };
}

/** What went wrong outside of tests: a file that cannot be loaded, a hook of a suite. */
function errorOf(modules: readonly TestModule[]): string | undefined {
  const suites = modules.flatMap((module) => [module, ...module.children.allSuites()]);
  return suites.flatMap((suite) => suite.errors())[0]?.message;
}

tell({ kind: "ready" });
