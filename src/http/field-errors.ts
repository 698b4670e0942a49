import type { FieldError } from "./problem.ts";

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Turns the issues of a Standard Schema, in valibot's form or the common one, into a problem's `errors`. */
export function issuesToFieldErrors(issues: readonly unknown[]): FieldError[] {
  // Both forms have these members, but share no type.
  return (issues as readonly Issue[]).map(({ path = [], message }) => ({
    path: path.map((segment) => cut(String(typeof segment === "object" ? segment.key : segment))).join("."),
    message,
  }));
}

/** A name that nobody knows may be as long as the body. */
const MAX_NAME_CHARS = 100;

function cut(name: string): string {
  return name.length > MAX_NAME_CHARS ? `${name.slice(0, MAX_NAME_CHARS)}…` : name;
}
