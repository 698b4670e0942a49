import type { FieldError } from "./problem.ts";

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Turns the issues of a Standard Schema, in valibot's form or the common one, into a problem's `errors`. */
export function issuesToFieldErrors(issues: readonly unknown[]): FieldError[] {
  // Both forms have these members, but share no type.
  return (issues as readonly Issue[]).map(({ path = [], message }) => ({
    path: path.map((segment) => String(typeof segment === "object" ? segment.key : segment)).join("."),
    message,
  }));
}
