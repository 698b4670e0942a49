/** Whether two JSON values say the same, in whatever order objects have their members. */
export function isSameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a === "bigint" || typeof b === "bigint") return isSameNumber(a, b);
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && isSameJson(a[name as never], b[name as never]))
  );
}

/** Ruby writes a Float of 16 digits and more as `1.0e+16`, which is a number here; written as an integer it is a bigint. */
function isSameNumber(a: unknown, b: unknown): boolean {
  const [big, other] = typeof a === "bigint" ? [a, b] : [b, a];
  return typeof other === "number" && Number.isInteger(other) && BigInt(other) === big;
}
