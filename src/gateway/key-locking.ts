import { hash } from "node:crypto";

type Arg = string | Uint8Array;

/** Scripts remembered at most; the oldest goes first, and its client gets a NOSCRIPT and sends EVAL, as after any restart. */
const MAX_SCRIPTS = 1_000;

/**
 * Takes `allow-key-locking` out of scripts, a flag of Upstash's that Redis refuses, and translates the SHA-1 that a client
 * computed with it into that of the script without it. The SHA-1 under which a client knows a script stays its own.
 */
export class KeyLockingFilter {
  /** From a client's SHA-1 to Redis'. */
  readonly #sha1s = new Map<string, string>();

  /** The command as Redis should get it; the same array if nothing is to be changed. */
  rewrite(command: readonly Arg[]): readonly Arg[] {
    const name = command[0];
    // Nearly every command is looked at here, so the name is compared before anything is allocated.
    if (typeof name !== "string" || name.length > 10) return command;
    switch (name.toUpperCase()) {
      case "EVALSHA":
      case "EVALSHA_RO":
        return this.#sha1s.size === 0 ? command : this.#replaceSha1(command, 1);
      case "EVAL":
      case "EVAL_RO":
        return this.#replaceSource(command, 1);
      case "SCRIPT":
        return this.#rewriteScript(command);
      default:
        return command;
    }
  }

  /** The SHA-1 that the client expects as the reply to its SCRIPT LOAD, or undefined if Redis' own is right. */
  loadedAs(command: readonly Arg[]): string | undefined {
    const source = command[2];
    if (!is(command[0], "SCRIPT") || !is(command[1], "LOAD") || typeof source !== "string") return undefined;
    return withoutKeyLocking(source) === undefined ? undefined : hash("sha1", source);
  }

  #rewriteScript(command: readonly Arg[]): readonly Arg[] {
    if (is(command[1], "LOAD")) return this.#replaceSource(command, 2);
    if (!is(command[1], "EXISTS")) return command;
    return command.reduce<readonly Arg[]>(
      (rewritten, _, index) => (index < 2 ? rewritten : this.#replaceSha1(rewritten, index)),
      command,
    );
  }

  #replaceSha1(command: readonly Arg[], index: number): readonly Arg[] {
    const sha1 = command[index];
    const known = typeof sha1 === "string" ? this.#sha1s.get(sha1.toLowerCase()) : undefined;
    return known === undefined ? command : command.with(index, known);
  }

  #replaceSource(command: readonly Arg[], index: number): readonly Arg[] {
    const source = command[index];
    const plain = typeof source === "string" ? withoutKeyLocking(source) : undefined;
    if (plain === undefined) return command;
    this.#remember(hash("sha1", String(source)), hash("sha1", plain));
    return command.with(index, plain);
  }

  #remember(sha1: string, plainSha1: string): void {
    this.#sha1s.delete(sha1);
    this.#sha1s.set(sha1, plainSha1);
    if (this.#sha1s.size <= MAX_SCRIPTS) return;
    const oldest = this.#sha1s.keys().next();
    if (!oldest.done) this.#sha1s.delete(oldest.value);
  }
}

/** The script without the flag, other flags left in place; undefined if it does not bear it. */
function withoutKeyLocking(source: string): string | undefined {
  if (!source.startsWith("#!lua")) return undefined;
  const end = source.indexOf("\n");
  const line = end === -1 ? source : source.slice(0, end);
  const flags = /\bflags=(\S*)/.exec(line)?.[1]?.split(",") ?? [];
  if (!flags.includes("allow-key-locking")) return undefined;
  const body = end === -1 ? "" : source.slice(end + 1);
  const others = flags.filter((flag) => flag !== "allow-key-locking");
  return others.length === 0 ? body : `${line.replace(/\bflags=\S*/, `flags=${others.join(",")}`)}\n${body}`;
}

function is(arg: Arg | undefined, name: string): boolean {
  return typeof arg === "string" && arg.toUpperCase() === name;
}
