import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { PROGRAMS, rubyOptions, theRuby } from "./find-ruby.ts";

/** One of the Ruby programs of this folder, in a process of its own. */
export interface RubyProcess {
  readonly pid: number;
  readonly stderr: string;
  /** The next line that it prints; rejects with what it said last if it ends before. */
  line(): Promise<string>;
  /** Writes a line to its input. */
  say(line: string): void;
  signal(name: NodeJS.Signals): void;
  /** Its status, or null if a signal ended it. */
  readonly ended: Promise<number | null>;
  /** Kills it with all that it has forked. */
  kill(): Promise<void>;
}

/** Starts a program: its name, as `worker.rb`, and its arguments. */
export function startRuby(command: readonly string[], env: Readonly<Record<string, string>>): RubyProcess {
  const child: ChildProcess = spawn(theRuby().executable, command, {
    cwd: PROGRAMS,
    // A group of its own, so that what it forks can be ended with it.
    detached: true,
    env: { ...process.env, TZ: "UTC", RUBYOPT: rubyOptions(process.env), ...env },
  });
  const { stdin, stdout } = child as Required<Pick<ChildProcess, "stdin" | "stdout">>;
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-10_000);
  });
  stdin?.on("error", () => undefined); // It may end before it has read everything.
  const lines = linesOf(stdout as NodeJS.ReadableStream);
  const closed = once(child, "close");
  const ended = closed.then(([status]: unknown[]) => status as number | null);
  const signal = (name: NodeJS.Signals): void => {
    if (child.exitCode === null && child.signalCode === null) child.kill(name);
  };
  return {
    pid: child.pid as number,
    get stderr() {
      return stderr;
    },
    async line() {
      const { done, value } = await lines.next();
      if (done === true) throw new Error(`${command.join(" ")} has ended:\n${stderr}`);
      return value;
    },
    say: (line) => void stdin?.write(`${line}\n`),
    signal,
    ended,
    async kill() {
      try {
        process.kill(-(child.pid as number), "SIGKILL");
      } catch {
        // The group is gone.
      }
      await closed;
    },
  };
}

/** Lines as Ruby means them: node:readline ends one at U+2028, too, which JSON leaves as it is. */
async function* linesOf(output: NodeJS.ReadableStream): AsyncGenerator<string, undefined, undefined> {
  let held = "";
  for await (const text of output.setEncoding("utf8")) {
    const lines = (held + text).split("\n");
    held = lines.pop() as string;
    yield* lines;
  }
  return undefined;
}

/** Evaluates Ruby in a process that has loaded Resque. */
export interface RubyConsole {
  /**
   * The value of some Ruby code, which finds what is given in `args`. Both go by way of JSON.
   *
   * @throws Error with Ruby's class, message and backtrace
   */
  evaluate<T>(code: string, ...args: readonly unknown[]): Promise<T>;
  kill(): Promise<void>;
}

/** Starts a console, for a plain Ruby app or one of Rails. */
export function startRubyConsole(kind: "jobs" | "rails", env: Readonly<Record<string, string>>): RubyConsole {
  const ruby = startRuby(["console.rb", kind], env);
  let last: Promise<unknown> = Promise.resolve();
  const ask = async (code: string, args: readonly unknown[]): Promise<unknown> => {
    ruby.say(JSON.stringify({ code, args }));
    const reply = JSON.parse(await ruby.line()) as { value?: unknown; error?: string; backtrace?: string[] };
    if (reply.error === undefined) return reply.value;
    throw new Error(`${reply.error}\n${reply.backtrace?.join("\n")}`);
  };
  return {
    evaluate<T>(code: string, ...args: readonly unknown[]) {
      const answer = last.then(() => ask(code, args));
      last = answer.catch(() => undefined);
      return answer as Promise<T>;
    },
    kill: ruby.kill,
  };
}
