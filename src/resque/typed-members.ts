/**
 * Of what stands in Redis and anybody may have written: the members of an object that are of the type that they should be, numbers finite.
 */
export function typedMembers<Types extends Readonly<Record<string, "string" | "number">>>(
  value: unknown,
  types: Types,
): { readonly [Name in keyof Types]?: Types[Name] extends "string" ? string : number } {
  const members = Object.entries(Object(value) as object).filter(
    ([name, member]) =>
      Object.hasOwn(types, name) &&
      typeof member === types[name] &&
      (typeof member === "string" || Number.isFinite(member)),
  );
  // Each has just been looked at.
  return Object.fromEntries(members) as never;
}
