import { UsageError } from "../core/errors.ts";

/** A Ruby symbol. */
export class RubySymbol {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  toString(): string {
    return this.name;
  }
}

/** A Ruby class or module, by its name: `Shop::Order`. */
export class RubyModule {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  toString(): string {
    return this.name;
  }
}

/** A Ruby range. One without a beginning or an end has null there. */
export class RubyRange<Bound = unknown> {
  readonly begin: Bound;
  readonly end: Bound;
  readonly excludeEnd: boolean;

  constructor(begin: Bound, end: Bound, excludeEnd = false) {
    this.begin = begin;
    this.end = end;
    this.excludeEnd = excludeEnd;
  }

  toString(): string {
    return `${this.begin ?? ""}${this.excludeEnd ? "..." : ".."}${this.end ?? ""}`;
  }
}

const BIG_DECIMAL = /^(?:[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[+-]?Infinity|NaN)$/;

/** A Ruby BigDecimal: all its digits, as text. Rails writes `1.5`, `100.0`, `NaN`, `-Infinity`. */
export class RubyBigDecimal {
  readonly text: string;

  /** @throws UsageError if the text is no number */
  constructor(text: string) {
    if (!BIG_DECIMAL.test(text)) throw new UsageError(`expected a decimal number, got ${JSON.stringify(text)}`);
    this.text = text;
  }

  /** The nearest number. */
  toNumber(): number {
    return Number(this.text);
  }

  toString(): string {
    return this.text;
  }
}

/**
 * A number that Ruby must take for a Float. JavaScript does not tell 2.0 from 2, so a Float arrives as a number, and a whole number
 * that is given plainly is written as an Integer.
 */
export class RubyFloat {
  readonly value: number;

  /** @throws UsageError if the number has no JSON form */
  constructor(value: number) {
    if (!Number.isFinite(value)) throw new UsageError(`expected a finite number, got ${value}`);
    this.value = value;
  }

  /** As Ruby 3 writes it: `2.0`, `1.0e+20`, `1.5e-07`. */
  toString(): string {
    const { value } = this;
    const size = Math.abs(value);
    if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
    if (size >= 1e-4 && size < 1e15) return Number.isInteger(value) ? `${value}.0` : String(value);
    const [digits = "", exponent = ""] = value.toExponential().split("e");
    return `${digits}${digits.includes(".") ? "" : ".0"}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  }
}
