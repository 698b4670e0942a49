import { readOwn } from "../../../../src/resque/payload.ts";

/**
 * What tells a job of the soak apart from all others, found in its payload alone: the name between two `#` in its arguments, `flaky-17`; of a unique
 * job, whose arguments others have too, with its lock's id, `sync-3@d0c1f2…`.
 */
export function keyOf(payload: string): string | undefined {
  const name = nameIn(payload);
  const id = readOwn(payload).unique?.split(".").at(-1);
  return name === undefined || id === undefined ? name : `${name}@${id}`;
}

/** The name of a job, from its key or its payload. */
export function nameOf(text: string): string {
  return nameIn(text) ?? text.replace(/@.*/, "");
}

/** The name that a payload bears. */
export function nameIn(text: string): string | undefined {
  return /#([\w:.-]+)#/.exec(text)?.[1];
}

/** The text that a job bears as an argument. */
export function named(name: string): string {
  return `#${name}#`;
}
