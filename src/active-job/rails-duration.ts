import { UsageError } from "../core/errors.ts";
import { RubyFloat } from "./ruby-values.ts";

/** What Rails takes a unit for, in seconds: a month is a twelfth of a year, a year is 365.2425 days. */
const UNIT_SECONDS = {
  seconds: 1,
  minutes: 60,
  hours: 3_600,
  days: 86_400,
  weeks: 604_800,
  months: 2_629_746,
  years: 31_556_952,
} as const;

export type DurationUnit = keyof typeof UNIT_SECONDS;
export type DurationPart = readonly [unit: DurationUnit, amount: number | bigint];

/** An ActiveSupport::Duration: `1.month + 2.days` is not the same as its seconds when it is added to a date. */
export class RailsDuration {
  readonly seconds: number | bigint;
  /** In the order in which they were added up. */
  readonly parts: readonly DurationPart[];

  /** @throws UsageError if a part is none */
  constructor(seconds: number | bigint, parts: readonly DurationPart[]) {
    for (const [unit, amount] of parts) {
      if (!Object.hasOwn(UNIT_SECONDS, unit)) throw new UsageError(`expected a unit of time, got ${String(unit)}`);
      checkAmount(unit, amount);
    }
    checkAmount("seconds", seconds);
    this.seconds = seconds;
    this.parts = parts;
  }

  /** `RailsDuration.of({ months: 1, days: 2 })` is Ruby's `1.month + 2.days`. */
  static of(amounts: Readonly<Partial<Record<DurationUnit, number>>>): RailsDuration {
    const parts = Object.entries(amounts) as [DurationUnit, number][];
    // Rails has a part even where there is nothing.
    if (parts.length === 0) return new RailsDuration(0, [["seconds", 0]]);
    const seconds = parts.reduce((sum, [unit, amount]) => sum + amount * UNIT_SECONDS[unit], 0);
    return new RailsDuration(seconds, parts);
  }

  toMs(): number {
    return Number(this.seconds) * 1_000;
  }

  /** The seconds as Ruby would have them: a Float as soon as one part is. */
  get rubySeconds(): number | bigint | RubyFloat {
    const { seconds } = this;
    const isFloat = this.parts.some(([, amount]) => typeof amount === "number" && !Number.isInteger(amount));
    return isFloat && typeof seconds === "number" ? new RubyFloat(seconds) : seconds;
  }
}

function checkAmount(unit: string, amount: unknown): void {
  if (typeof amount === "bigint" || Number.isFinite(amount)) return;
  throw new UsageError(`${unit}: expected a finite number, got ${String(amount)}`);
}
