/** A score as Redis writes it, which has other words for the infinite ones than JavaScript has. */
export function readScore(text: string | number | undefined): number {
  if (text === "inf" || text === "+inf") return Number.POSITIVE_INFINITY;
  return text === "-inf" ? Number.NEGATIVE_INFINITY : Number(text);
}
