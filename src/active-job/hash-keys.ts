/**
 * What Ruby knows of a hash's keys and JavaScript does not: which are symbols, and whether the hash is a call's keyword arguments. It
 * travels with the object, out of sight, so that a hash that came from Rails can be sent back as it was. A copy (`{ ...hash }`) does
 * not bear it: its keys are strings.
 */
export type HashKeys =
  | { readonly kind: "symbols" | "keywords"; readonly names: readonly string[] }
  | { readonly kind: "indifferent" };

/** The same in all copies of this package. */
const KEYS: unique symbol = Symbol.for("airlift.active-job.keys") as never;

export function hashKeysOf(hash: object): HashKeys | undefined {
  return (hash as { readonly [KEYS]?: HashKeys })[KEYS];
}

/** Marks an object of its own making; those of callers are copied first. */
export function markKeys<Hash extends object>(hash: Hash, keys: HashKeys): Hash {
  return Object.defineProperty(hash, KEYS, { value: keys });
}

/** A hash whose keys are all symbols: Ruby's `{ format: "pdf" }`. Hashes in it are left as they are. */
export function symbolKeys<Hash extends object>(hash: Hash): Hash {
  return markKeys({ ...hash }, { kind: "symbols", names: Object.keys(hash) });
}

/** Keyword arguments, as the last argument: Ruby's `perform_later(invoice, format: "pdf")`. Hashes in it are left as they are. */
export function keywords<Hash extends object>(hash: Hash): Hash {
  return markKeys({ ...hash }, { kind: "keywords", names: Object.keys(hash) });
}

/** A hash whose keys Ruby may give as symbols or as strings: Rails' HashWithIndifferentAccess. Hashes in it are left as they are. */
export function indifferentAccess<Hash extends object>(hash: Hash): Hash {
  return markKeys({ ...hash }, { kind: "indifferent" });
}
