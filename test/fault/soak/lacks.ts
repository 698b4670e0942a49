/**
 * Whether something is put to the test is, in a short soak, a matter of luck: tries seed after seed until each has been, in one or another.
 *
 * @param run tells what was lacking with this seed
 * @returns what has been lacking with all of them
 */
export async function lacksOfAll(
  seeds: readonly number[],
  run: (seed: number) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  let lacks: readonly string[] | undefined;
  for (const seed of seeds) {
    const own = new Set(await run(seed));
    lacks = lacks ? lacks.filter((lack) => own.has(lack)) : [...own];
    if (lacks.length === 0) break;
  }
  return lacks ?? [];
}

/** The names of what did not hold. */
export function lacking(conditions: Readonly<Record<string, boolean>>): string[] {
  return Object.entries(conditions).flatMap(([name, holds]) => (holds ? [] : [name]));
}
