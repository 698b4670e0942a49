import { UsageError } from "../core/errors.ts";

const TIME = /^([+-]?\d{4,})-(\d\d)-(\d\d)T([01]\d|2[0-4]):([0-5]\d):([0-5]\d|60)(?:\.(\d{1,9}))?(Z|[+-]\d\d:[0-5]\d)$/;
const DATE = /^([+-]?\d{4,})-(\d\d)-(\d\d)$/;

/** Rails has one zone for all names of UTC. Its offset is `Z`; that of other zones is `+00:00` where they agree. */
const UTC_ZONE = /^(?:Etc\/)?(?:UTC|UCT|Zulu|Universal)$/;

/** Ruby's class of a time. `TimeWithZone` is Rails' own, of a time in a named zone. */
export type RubyTimeKind = "Time" | "DateTime" | "TimeWithZone";

export interface RubyTimeOptions {
  /** @default "TimeWithZone" if a zone is given, else "Time" */
  readonly kind?: RubyTimeKind;
  /** Its IANA name, `Europe/Berlin`. */
  readonly zone?: string;
}

/** An instant to the nanosecond, with its offset and, if it has one, its zone. */
export class RubyTime {
  /** As Rails writes it: `2026-07-31T22:59:58.123456789+02:00`. */
  readonly iso: string;
  readonly kind: RubyTimeKind;
  readonly zone: string | undefined;

  /** @throws UsageError if the text is no ISO 8601 time with an offset */
  constructor(iso: string, { zone, kind = zone === undefined ? "Time" : "TimeWithZone" }: RubyTimeOptions = {}) {
    const [, , month, day] = TIME.exec(iso) ?? [];
    if (day === undefined) throw wrong("a time, as 2026-07-31T22:59:58.000000000Z", iso);
    checkDay(iso, month, day);
    this.iso = iso;
    this.kind = kind;
    this.zone = zone;
    if (Number.isNaN(this.#secondMs)) throw wrong("a time within 270,000 years", iso);
  }

  /** A time of JavaScript's, in UTC or in the zone. */
  static from(date: Date | number, options: RubyTimeOptions = {}): RubyTime {
    const ms = Number(date);
    if (!Number.isFinite(ms)) throw wrong("a date", String(date));
    const { kind } = options;
    const zone = options.zone !== undefined && UTC_ZONE.test(options.zone) ? "Etc/UTC" : options.zone;
    const offset = zone === undefined ? (kind === "DateTime" ? "+00:00" : "Z") : offsetOf(zone, ms);
    const local = new Date(ms + offsetMs(offset)).toISOString().slice(0, -1);
    // Years beyond four digits have six and a sign in JavaScript, and in Ruby as many as it takes.
    const text = local.replace(/^([+-])0*(\d{4,})/, (_, sign, digits) => `${sign === "-" ? "-" : ""}${digits}`);
    return new RubyTime(`${text}000000${offset}`, { ...(kind && { kind }), ...(zone !== undefined && { zone }) });
  }

  /** `Z`, or as `+02:00`. */
  get offset(): string {
    return TIME.exec(this.iso)?.[8] as string;
  }

  /** Nanoseconds since the epoch. */
  get epochNanoseconds(): bigint {
    return BigInt(this.#secondMs) * 1_000_000n + BigInt(this.#nanoseconds);
  }

  /** To the millisecond below. */
  toDate(): Date {
    return new Date(this.#secondMs + Math.floor(this.#nanoseconds / 1_000_000));
  }

  toString(): string {
    return this.iso;
  }

  /** When its second began. */
  get #secondMs(): number {
    const [, year, month, day, hour, minute, second] = TIME.exec(this.iso) as string[];
    const local = utcMs(Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second));
    return local - offsetMs(this.offset);
  }

  get #nanoseconds(): number {
    return Number((TIME.exec(this.iso)?.[7] ?? "").padEnd(9, "0"));
  }
}

/** A day of the calendar. */
export class RubyDate {
  /** `2026-07-31` */
  readonly iso: string;

  /** @throws UsageError if the text is no ISO 8601 date */
  constructor(iso: string) {
    const [, , month, day] = DATE.exec(iso) ?? [];
    if (day === undefined) throw wrong("a date, as 2026-07-31", iso);
    checkDay(iso, month, day);
    this.iso = iso;
  }

  /** The day's beginning in UTC. */
  toDate(): Date {
    const [, year, month, day] = DATE.exec(this.iso) as string[];
    return new Date(utcMs(Number(year), Number(month), Number(day)));
  }

  toString(): string {
    return this.iso;
  }
}

/** Each month may have 31 days: Ruby's calendar is the Julian one before 1582. */
function checkDay(iso: string, month: string | undefined, day: string | undefined): void {
  if (Number(month) < 1 || Number(month) > 12 || Number(day) < 1 || Number(day) > 31) throw wrong("a day that is", iso);
}

/** Date.UTC takes the years 0 to 99 for those of the last century. */
function utcMs(year: number, month: number, day: number, hour = 0, minute = 0, second = 0): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.setUTCHours(hour, minute, second);
}

function offsetMs(offset: string): number {
  if (offset === "Z") return 0;
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4, 6));
  return (offset.startsWith("-") ? -minutes : minutes) * 60_000;
}

/** A zone's offset at an instant. */
function offsetOf(zone: string, ms: number): string {
  try {
    const format = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" });
    const text = format.formatToParts(ms).find(({ type }) => type === "timeZoneName")?.value ?? "";
    // Without the seconds that some offsets of the 19th century have, as Ruby writes them.
    const offset = text.slice("GMT".length, "GMT+00:00".length) || "+00:00";
    return zone === "Etc/UTC" ? "Z" : offset;
  } catch (error) {
    throw new UsageError(`zone: expected the name of a time zone, got ${JSON.stringify(zone)}`, { cause: error });
  }
}

function wrong(expected: string, given: string): UsageError {
  return new UsageError(`expected ${expected}, got ${JSON.stringify(given)}`);
}
