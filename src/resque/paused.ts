/** Reads `pause-all-workers` as Ruby does. */
export function isEverythingPaused(value: string | null): boolean {
  return value?.trim().toLowerCase() === "true";
}

/** Reads `airlift:paused-classes`; what is no array of texts pauses nothing. */
export function readPausedClasses(value: string | null): readonly string[] {
  try {
    const classes: unknown = JSON.parse(value ?? "[]");
    return Array.isArray(classes) ? classes.filter((name) => typeof name === "string").sort() : [];
  } catch {
    return [];
  }
}
