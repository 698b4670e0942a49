import { UsageError } from "../core/errors.ts";
import { InvalidArgumentsError } from "../core/invalid-arguments.ts";
import { AJ, type ArgumentOptions, RAILS_SERIALIZERS } from "./argument-serializer.ts";
import { GlobalId } from "./global-id.ts";
import { type HashKeys, markKeys } from "./hash-keys.ts";
import { type DurationPart, RailsDuration } from "./rails-duration.ts";
import { RubyDate, RubyTime } from "./ruby-time.ts";
import { RubyBigDecimal, RubyModule, RubyRange, RubySymbol } from "./ruby-values.ts";

type Members = Readonly<Record<string, unknown>>;

/** Far below what a call stack holds. Ruby's JSON reads 100 levels. */
const MAX_DEPTH = 500;

const IDENTIFIER = /^[A-Za-z_]\w*$/;

/**
 * Makes values of a job's `arguments`, as Active Job's `Arguments.deserialize` does: hashes become plain objects, what JavaScript
 * has no equal of becomes an object of one of this module's classes.
 *
 * @throws InvalidArgumentsError naming the place and what is wrong there
 */
export function deserializeArguments(list: unknown, options: ArgumentOptions = {}): unknown[] {
  const reader = new Reader(options, "", 0);
  if (!Array.isArray(list)) throw reader.invalid(`expected an array, got ${nameOf(list)}`);
  return reader.read(list) as unknown[];
}

/** Reads one value; knows where in the arguments it is. */
class Reader {
  readonly #options: ArgumentOptions;
  readonly #path: string;
  readonly #depth: number;

  constructor(options: ArgumentOptions, path: string, depth: number) {
    this.#options = options;
    this.#path = path;
    this.#depth = depth;
  }

  read(value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    if (this.#depth > MAX_DEPTH) throw this.invalid(`is nested deeper than ${MAX_DEPTH} levels`);
    if (Array.isArray(value)) return value.map((each, index) => this.#readAt(index, each));
    const members = value as Members;
    if (Object.hasOwn(members, AJ.globalId) && Object.keys(members).length === 1) {
      return this.#make(() => new GlobalId(this.text(members, AJ.globalId)));
    }
    return Object.hasOwn(members, AJ.serialized) ? this.#readSerialized(members) : this.#readHash(members);
  }

  /** The value of a member, itself an argument. */
  member(members: Members, name: string): unknown {
    return this.#readAt(name, Object.hasOwn(members, name) ? members[name] : null);
  }

  text(members: Members, name: string): string {
    const value = Object.hasOwn(members, name) ? members[name] : undefined;
    if (typeof value === "string") return value;
    throw this.#at(name).invalid(`expected a string, got ${nameOf(value)}`);
  }

  invalid(problem: string, options?: ErrorOptions): InvalidArgumentsError {
    const path = this.#path;
    return new InvalidArgumentsError(`arguments${path}: ${problem}`, { path, ...options });
  }

  /** Most values are what they are, and need no reader of their own. */
  #readAt(key: string | number, value: unknown): unknown {
    return typeof value === "object" && value !== null ? this.#at(key).read(value) : value;
  }

  #at(key: string | number): Reader {
    const step = typeof key === "string" && IDENTIFIER.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
    return new Reader(this.#options, this.#path + step, this.#depth + 1);
  }

  #readSerialized(members: Members): unknown {
    const name = this.text(members, AJ.serialized);
    const own = this.#options.serializers?.find((serializer) => serializer.name === name);
    if (own) return own.deserialize(members);
    const make = name.startsWith(RAILS_SERIALIZERS) ? MAKERS.get(name.slice(RAILS_SERIALIZERS.length)) : undefined;
    if (make) return this.#make(() => make(members, this));
    throw this.invalid(`the serializer ${JSON.stringify(name)} is not known: give it in \`serializers\``);
  }

  #readHash(members: Members): object {
    const { keys, mark } = this.#keysOf(members);
    const entries = Object.entries(members).filter(([key]) => key !== mark);
    const hash = Object.fromEntries(entries.map(([key, value]) => [key, this.#readAt(key, value)]));
    return keys ? markKeys(hash, keys) : hash;
  }

  /** Rails looks for the three marks in this order. */
  #keysOf(members: Members): { readonly keys?: HashKeys; readonly mark?: string } {
    if (Object.hasOwn(members, AJ.indifferent)) return { keys: { kind: "indifferent" }, mark: AJ.indifferent };
    const mark = [AJ.symbolKeys, AJ.keywords].find((each) => Object.hasOwn(members, each));
    if (mark === undefined) return {};
    const names = members[mark];
    if (!Array.isArray(names) || names.some((name) => typeof name !== "string")) {
      throw this.#at(mark).invalid("expected a list of keys");
    }
    return { keys: { kind: mark === AJ.symbolKeys ? "symbols" : "keywords", names }, mark };
  }

  /** What the classes of values refuse is the payload's fault here. */
  #make(make: () => unknown): unknown {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      // Without the value: messages of a job quote nothing of its arguments.
      throw this.invalid(error.message.replace(/, got .*$/s, ""));
    }
  }
}

type Make = (members: Members, reader: Reader) => unknown;

/** What Rails' own serializers made, by the last part of their names. That of ActionController::Parameters makes a plain hash. */
const MAKERS: ReadonlyMap<string, Make> = new Map<string, Make>([
  ["SymbolSerializer", (members, reader) => new RubySymbol(reader.text(members, "value"))],
  ["ModuleSerializer", (members, reader) => new RubyModule(reader.text(members, "value"))],
  ["BigDecimalSerializer", (members, reader) => new RubyBigDecimal(reader.text(members, "value"))],
  ["DateSerializer", (members, reader) => new RubyDate(reader.text(members, "value"))],
  ["TimeSerializer", (members, reader) => new RubyTime(reader.text(members, "value"))],
  ["DateTimeSerializer", (members, reader) => new RubyTime(reader.text(members, "value"), { kind: "DateTime" })],
  ["TimeWithZoneSerializer", makeTimeWithZone],
  ["DurationSerializer", makeDuration],
  ["RangeSerializer", makeRange],
]);

/** Before Rails 7.1 it bore no zone. */
function makeTimeWithZone(members: Members, reader: Reader): RubyTime {
  const iso = reader.text(members, "value");
  const hasZone = (members["time_zone"] ?? null) !== null;
  return new RubyTime(iso, { kind: "TimeWithZone", ...(hasZone && { zone: reader.text(members, "time_zone") }) });
}

function makeDuration(members: Members, reader: Reader): RailsDuration {
  const parts = reader.member(members, "parts");
  if (!Array.isArray(parts)) throw reader.invalid(`expected parts to be an array, got ${nameOf(parts)}`);
  // What is no part is refused by the duration itself.
  const named = parts.map((part) => {
    const [unit, amount] = Array.isArray(part) ? part : [];
    return [unit instanceof RubySymbol ? unit.name : unit, amount] as unknown as DurationPart;
  });
  return new RailsDuration(members["value"] as number, named);
}

function makeRange(members: Members, reader: Reader): RubyRange {
  return new RubyRange(reader.member(members, "begin"), reader.member(members, "end"), members["exclude_end"] === true);
}

function nameOf(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  return Array.isArray(value) ? "an array" : `a value of type ${typeof value}`;
}
