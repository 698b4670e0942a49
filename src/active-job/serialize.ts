import { UsageError } from "../core/errors.ts";
import { AJ, type ArgumentOptions, RAILS_SERIALIZERS } from "./argument-serializer.ts";
import { GlobalId } from "./global-id.ts";
import { hashKeysOf } from "./hash-keys.ts";
import { RailsDuration } from "./rails-duration.ts";
import { RubyDate, RubyTime } from "./ruby-time.ts";
import { RubyBigDecimal, RubyFloat, RubyModule, RubyRange, RubySymbol } from "./ruby-values.ts";

/** Ruby's JSON reads 100 levels, four of which are the payload's own. */
const MAX_DEPTH = 96;

/** What ActiveSupport escapes beyond JSON, so that it can stand in HTML. The bytes differ, the text does not. */
const ESCAPED = /[<>&\u2028\u2029]/g;
const RESERVED: readonly string[] = Object.values(AJ);

type Json = Readonly<Record<string, unknown>>;

/**
 * Makes of values what Active Job's `Arguments.serialize` makes of them, ready to be written as JSON. A plain object is a hash with
 * string keys unless `symbolKeys`, `keywords` or `indifferentAccess` made it; a Date is a Time in UTC.
 *
 * @throws UsageError naming the place and the value that Rails could not read
 */
export function serializeArguments(values: readonly unknown[], options: ArgumentOptions = {}): unknown[] {
  if (!Array.isArray(values)) throw new UsageError(`arguments: expected an array, got ${nameOf(values)}`);
  return new Writer(options).writeAll(values, "arguments", 1);
}

class Writer {
  readonly #options: ArgumentOptions;

  constructor(options: ArgumentOptions) {
    this.#options = options;
  }

  writeAll(values: readonly unknown[], path: string, depth: number): unknown[] {
    // Array.from, as map would pass over holes.
    return Array.from(values, (value, index) => this.write(value, `${path}[${index}]`, depth));
  }

  write(value: unknown, path: string, depth: number): unknown {
    if (value === null || typeof value === "boolean" || typeof value === "bigint") return value;
    if (typeof value === "string") return rubyString(value);
    if (typeof value === "number") return rubyNumber(value, path);
    if (typeof value !== "object") throw unsupported(path, value);
    if (depth > MAX_DEPTH)
      throw new UsageError(`${path}: is nested deeper than the ${MAX_DEPTH} levels that Ruby reads`);
    if (Array.isArray(value)) return this.writeAll(value, path, depth + 1);
    return this.#writeObject(value, path, depth + 1);
  }

  #writeObject(value: object, path: string, depth: number): unknown {
    const own = this.#options.serializers?.find((serializer) => serializer.handles(value));
    if (own) return { [AJ.serialized]: own.name, ...own.serialize(value) };
    if (value instanceof RubyFloat) return rawJson(value.toString());
    if (value instanceof GlobalId) return { [AJ.globalId]: rubyString(value.gid) };
    if (value instanceof RubySymbol) return tagged("SymbolSerializer", { value: rubyString(value.name) });
    if (value instanceof RubyModule) return tagged("ModuleSerializer", { value: rubyString(value.name) });
    if (value instanceof RubyBigDecimal) return tagged("BigDecimalSerializer", { value: value.text });
    if (value instanceof RubyDate) return tagged("DateSerializer", { value: value.iso });
    if (value instanceof RubyTime) return writeTime(value);
    if (value instanceof Date) return writeTime(timeOf(value, path));
    if (value instanceof RailsDuration) return this.#writeDuration(value, path, depth);
    if (value instanceof RubyRange) return this.#writeRange(value, path, depth);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) return this.#writeHash(value as Json, path, depth);
    throw unsupported(path, value);
  }

  #writeDuration({ rubySeconds, parts }: RailsDuration, path: string, depth: number): Json {
    const pairs = parts.map(([unit, amount]) => [new RubySymbol(unit), amount]);
    return tagged("DurationSerializer", {
      value: this.write(rubySeconds, path, depth),
      parts: this.writeAll(pairs, path, depth),
    });
  }

  #writeRange({ begin, end, excludeEnd }: RubyRange, path: string, depth: number): Json {
    return tagged("RangeSerializer", {
      begin: this.write(begin, `${path}.begin`, depth),
      end: this.write(end, `${path}.end`, depth),
      exclude_end: excludeEnd,
    });
  }

  #writeHash(hash: Json, path: string, depth: number): Json {
    const entries = Object.entries(hash).flatMap(([key, value]) => {
      if (RESERVED.includes(key)) throw new UsageError(`${path}: the key ${JSON.stringify(key)} is Active Job's own`);
      return value === undefined ? [] : [[key, this.write(value, `${path}.${key}`, depth)] as const];
    });
    const keys = hashKeysOf(hash) ?? { kind: "symbols", names: [] };
    if (keys.kind === "indifferent") return Object.fromEntries([...entries, [AJ.indifferent, true]]);
    const mark = keys.kind === "symbols" ? AJ.symbolKeys : AJ.keywords;
    return Object.fromEntries([...entries, [mark, keys.names]]);
  }
}

function tagged(serializer: string, members: Json): Json {
  return { [AJ.serialized]: `${RAILS_SERIALIZERS}${serializer}`, ...members };
}

function writeTime({ iso, kind, zone }: RubyTime): Json {
  return tagged(`${kind}Serializer`, { value: iso, ...(zone !== undefined && { time_zone: zone }) });
}

function timeOf(date: Date, path: string): RubyTime {
  if (Number.isNaN(date.getTime())) throw new UsageError(`${path}: expected a date, got an invalid one`);
  return RubyTime.from(date);
}

/** A number that can only be a Float is written as one; whole numbers up to 2^53 are Integers. */
function rubyNumber(value: number, path: string): unknown {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return value;
  if (!Number.isFinite(value)) throw new UsageError(`${path}: expected a finite number, got ${value}`);
  return rawJson(new RubyFloat(value).toString());
}

function rubyString(text: string): unknown {
  if (text.search(ESCAPED) < 0) return text;
  const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return rawJson(JSON.stringify(text).replace(ESCAPED, escaped));
}

/** A value that JSON.stringify writes as this very text (ES2025; what writes bigints, too). */
function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}

function unsupported(path: string, value: unknown): UsageError {
  return new UsageError(
    `${path}: Active Job cannot serialize ${nameOf(value)}; give a serializer for it in \`serializers\``,
  );
}

function nameOf(value: unknown): string {
  if (typeof value !== "object" || value === null)
    return value === undefined || value === null ? String(value) : `a ${typeof value}`;
  return Array.isArray(value) ? "an array" : `an object of the class ${value.constructor?.name}`;
}
