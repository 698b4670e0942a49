import type { Mutant } from "./mutant.ts";

/** At most so many mutants of each file; the same ones for the same seed. */
export function sampleOf(mutants: readonly Mutant[], most: number, seed: number): readonly Mutant[] {
  if (most === Number.POSITIVE_INFINITY) return mutants;
  const random = seeded(seed);
  const drawn = mutants.map((mutant) => ({ mutant, draw: random() }));
  const chosen = new Set<Mutant>();
  for (const ofFile of Map.groupBy(drawn, ({ mutant }) => mutant.file).values()) {
    ofFile.sort((a, b) => a.draw - b.draw);
    for (const { mutant } of ofFile.slice(0, most)) chosen.add(mutant);
  }
  return mutants.filter((mutant) => chosen.has(mutant));
}

/** mulberry32 */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
