/** What Redis remembers of a schedule. */
export interface ScheduleState {
  /** The last tick that was handled, or when the schedule was first seen. Milliseconds since the epoch, by Redis' clock. */
  readonly lastMs: number;
  /** A tick that comes before those of the timetable, and is still to come. */
  readonly firstMs?: number;
  /**
   * The definitions under which the schedule was seen, the one that wrote this first. While a new version of an app takes the place of
   * an old one, both of them drain; neither may take the other's ticks for its own, nor think each time that the schedule is new.
   */
  readonly specs: readonly string[];
  /** It is defined in Redis, and may be forgotten when it is there no more. */
  readonly isPersistent: boolean;
}

const MAX_SPECS = 4;

/** `{"last":1795206569000,"specs":["5f0c2a19"]}`, compared byte for byte when it is changed. */
export function encodeState({ lastMs, firstMs, specs, isPersistent }: ScheduleState): string {
  const persistent = isPersistent ? true : undefined;
  return JSON.stringify({ last: lastMs, first: firstMs, specs: specs.slice(0, MAX_SPECS), persistent });
}

/** Undefined for what is none, which then counts as a schedule never seen. */
export function parseState(text: string): ScheduleState | undefined {
  try {
    const { last, first, specs, persistent } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    if (!Number.isSafeInteger(last) || !Array.isArray(specs)) return undefined;
    return {
      lastMs: last as number,
      ...(Number.isSafeInteger(first) ? { firstMs: first as number } : {}),
      specs: specs.map(String),
      isPersistent: persistent === true,
    };
  } catch {
    return undefined;
  }
}

/** A definition's short name: 32 bits of FNV-1a. It only has to differ between the versions of one schedule. */
export function hashSpec(spec: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < spec.length; i++) hash = Math.imul(hash ^ spec.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
