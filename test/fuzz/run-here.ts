import { vi } from "vitest";
import { endingOf } from "../../src/cli/ending.ts";
import { createProgram } from "../../src/cli/program.ts";

/** How a command line ended that was run in this process. */
export interface RunHere {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command as src/cli/main.ts does, many times faster than in a process of its own. Not two at a time. */
export async function runHere(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<RunHere> {
  const output = { stdout: "", stderr: "" };
  const take = (name: keyof typeof output) =>
    vi.spyOn(process[name], "write").mockImplementation((text: unknown) => {
      output[name] += String(text);
      return true;
    });
  const spies = [take("stdout"), take("stderr")];
  const names = Object.keys(process.env).filter((name) => /REDIS|KV_REST|AIRLIFT_GATEWAY/.test(name));
  for (const name of names) vi.stubEnv(name, undefined);
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const statusBefore = process.exitCode;
  process.exitCode = 0;
  try {
    await createProgram().parseAsync(["node", "airlift", ...args]);
    return { status: Number(process.exitCode), ...output };
  } catch (error) {
    const { text, status } = endingOf(error);
    return { status, ...output, stderr: output.stderr + (text === undefined ? "" : `airlift: ${text}\n`) };
  } finally {
    process.exitCode = statusBefore;
    for (const spy of spies) spy.mockRestore();
    vi.unstubAllEnvs();
  }
}

/** What must not come to a terminal raw: line ends are the only control characters. */
export const UNSAFE_OUTPUT: RegExp =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not come through
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
