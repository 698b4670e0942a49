/**
 * How the values of one of the app's own serializers (in Rails a subclass of `ActiveJob::Serializers::ObjectSerializer`) are read and
 * written.
 *
 * @example
 * ```ts
 * import { type ArgumentSerializer } from "airlift/active-job";
 *
 * const money: ArgumentSerializer<Money> = {
 *   name: "MoneySerializer",
 *   deserialize: ({ cents, currency }) => new Money(cents as number, currency as string),
 *   handles: (value) => value instanceof Money,
 *   serialize: ({ cents, currency }) => ({ cents, currency }),
 * };
 * ```
 */
// biome-ignore lint/suspicious/noExplicitAny: serializers of different values stand in one list; `handles` tells them apart
export interface ArgumentSerializer<Value = any> {
  /** Its Ruby class. */
  readonly name: string;
  /** @param members those that its `serialize` made, as they came; arguments among them are for `deserializeArguments` */
  deserialize(members: Readonly<Record<string, unknown>>): Value;
  /** Whether a value is one that it writes. */
  handles(value: unknown): boolean;
  /** The members in Ruby's order; arguments among them made by `serializeArguments`. */
  serialize(value: Value): Readonly<Record<string, unknown>>;
}

export interface ArgumentOptions {
  /** The app's own serializers. */
  readonly serializers?: readonly ArgumentSerializer[];
}

/** The members by which Active Job tells a value's kind. No hash may have them of its own. */
export const AJ = {
  globalId: "_aj_globalid",
  serialized: "_aj_serialized",
  symbolKeys: "_aj_symbol_keys",
  keywords: "_aj_ruby2_keywords",
  indifferent: "_aj_hash_with_indifferent_access",
} as const;

/** Where Rails' own serializers are. */
export const RAILS_SERIALIZERS = "ActiveJob::Serializers::";
