import { InvalidArgumentError } from "commander";

/** A number above 0, such as 10 or 0.5. */
export function parseAmount(text: string): number {
  const amount = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (amount > 0) return amount;
  throw new InvalidArgumentError("Expected a number above 0.");
}
