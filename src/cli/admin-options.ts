import { Argument, type Command, InvalidArgumentError } from "commander";
import { parseCount, parseDelay, parseTime } from "./option-parsers.ts";
import { addRedisOptions } from "./redis-options.ts";

/** Adds `list`, which is meant if no other command is named. Its action takes its options as the second argument. */
export function addListCommand(parent: Command, description: string): Command {
  const names = (): string => parent.commands.map((command) => command.name()).join(", ");
  // Commander takes a name that it does not know for an argument of the default command.
  const other = new Argument("[command]").argParser((text) => {
    throw new InvalidArgumentError(`There is no command ${text}; expected one of ${names()}.`);
  });
  return parent.command("list", { isDefault: true }).description(description).usage("[options]").addArgument(other);
}

/** `--redis`, `--token`, `--namespace`, `--json`. */
export function addShowOptions(command: Command): Command {
  return addRedisOptions(command).option("--json", "print it as JSON");
}

/** `--offset`, `--limit`. */
export function addPageOptions(command: Command): Command {
  return command
    .option("--offset <n>", "pass over so many (default: 0)", parseIndex)
    .option("--limit <n>", "show at most so many, up to 1000 (default: 50)", parseLimit);
}

/** A whole number from 0. */
export function parseIndex(text: string): number {
  const index = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(index)) return index;
  throw new InvalidArgumentError("Expected a whole number from 0.");
}

/** A page's size. */
export function parseLimit(text: string): number {
  const limit = parseCount(text);
  if (limit <= 1_000) return limit;
  throw new InvalidArgumentError("Expected at most 1000.");
}

/**
 * A time, or how long ago: `2026-11-20T18:00:00Z`, `2h`.
 *
 * @returns milliseconds since the epoch
 */
export function parseSince(text: string): number {
  if (/^[\d.]+\s*[a-z]+$/i.test(text)) return Date.now() - parseDelay(text);
  try {
    return parseTime(text);
  } catch {
    throw new InvalidArgumentError("Expected a time such as 2026-11-20T18:00:00Z, or how long ago, such as 2h.");
  }
}

/** A JSON array. */
export function parseArgs(text: string): readonly unknown[] {
  try {
    const args: unknown = JSON.parse(text);
    if (Array.isArray(args)) return args;
  } catch {
    // Told below.
  }
  throw new InvalidArgumentError('Expected a JSON array such as [1,"a"].');
}
