import { UsageError } from "../core/errors.ts";
import { compileFnmatch } from "./fnmatch.ts";

/** A list of queues as a worker is given it: names, weights, patterns and exclusions. */
export interface QueueSelector {
  /** What stands in the worker id: the list without weights and exclusions, as Ruby's workers write it. */
  readonly label: string;
  /** Whether the queues depend on what is in Redis. */
  readonly isDynamic: boolean;
  /** The selected queues in the order of the list, a pattern's queues by name, each once. `existing` matters if `isDynamic`. */
  select(existing: readonly string[]): string[];
  /**
   * The order in which to try queues that `select` gave: as they are, or sampled by weight without replacement if any is weighted.
   *
   * @param random uniform in [0, 1)
   */
  order(queues: readonly string[], random: () => number): readonly string[];
}

interface Entry {
  readonly text: string;
  readonly weight: number;
  readonly matches: ((name: string) => boolean) | undefined;
}

const WILDCARD = /[*?{}[\]]/;

/**
 * Reads a queue list.
 *
 * A list without weights is strict: the first queue that has a job is served. With a weight anywhere (`mail=2`; without one a
 * queue weighs 1), each exchange samples its own order. Patterns are Ruby's `File.fnmatch`, as in Ruby Resque.
 *
 * @throws UsageError naming the entry that is wrong
 * @see https://github.com/resque/resque/blob/master/lib/resque/worker.rb
 */
export function createQueueSelector(specs: readonly string[]): QueueSelector {
  const entries: Entry[] = [];
  const skips: ((name: string) => boolean)[] = [];
  let isWeighted = false;
  for (const spec of specs) {
    const text = spec.trim();
    if (text.startsWith("!")) {
      skips.push(compileFnmatch(checkName(text.slice(1), spec)));
      continue;
    }
    const equals = text.lastIndexOf("=");
    const name = checkName(equals < 0 ? text : text.slice(0, equals).trim(), spec);
    if (equals >= 0) isWeighted = true;
    entries.push({
      text: name,
      weight: equals < 0 ? 1 : parseWeight(text.slice(equals + 1), spec),
      matches: WILDCARD.test(name) ? compileFnmatch(name) : undefined,
    });
  }
  if (entries.length === 0) throw new UsageError("queues: expected at least one queue name or pattern, got none");
  const isSkipped = (name: string): boolean => skips.some((skip) => skip(name));
  const isDynamic = skips.length > 0 || entries.some((entry) => entry.matches);
  const names = [...new Set(entries.map((entry) => entry.text))];
  const weights = new Map<string, number>();
  for (const entry of entries) if (!entry.matches) weights.set(entry.text, entry.weight);

  const weightOf = (queue: string): number =>
    weights.get(queue) ?? entries.find((entry) => entry.matches?.(queue))?.weight ?? 1;

  return {
    label: names.join(","),
    isDynamic,
    select(existing) {
      if (!isDynamic) return names;
      const sorted = existing.filter((name) => !isSkipped(name)).sort();
      const selected = entries.flatMap(({ text, matches }) =>
        matches ? sorted.filter(matches) : isSkipped(text) ? [] : [text],
      );
      return [...new Set(selected)];
    },
    order(queues, random) {
      if (!isWeighted) return queues;
      // Efraimidis and Spirakis: sorting by -ln(u)/w samples by weight without replacement.
      return queues
        .map((queue) => ({ queue, key: -Math.log(1 - random()) / weightOf(queue) }))
        .sort((a, b) => a.key - b.key)
        .map(({ queue }) => queue);
    },
  };
}

function checkName(name: string, spec: string): string {
  if (name === "") throw new UsageError(`queues: expected a queue name in ${JSON.stringify(spec)}`);
  if (/[,\p{Cc}]/u.test(name)) {
    throw new UsageError(
      `queues: ${JSON.stringify(spec)} holds a comma or a control character; give each queue by itself`,
    );
  }
  return name;
}

function parseWeight(text: string, spec: string): number {
  const weight = Number(text.trim() || Number.NaN);
  if (Number.isFinite(weight) && weight > 0) return weight;
  throw new UsageError(`queues: expected a weight above 0 after "=" in ${JSON.stringify(spec)}`);
}
