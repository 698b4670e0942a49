import type { LimitOptions } from "../../src/core/limit.ts";
import { createRegistry } from "../../src/core/registry.ts";
import type { Claim, ExchangeParams, ExchangeResult } from "../../src/core/store.ts";
import { ok, slots, type TestDrain, type TestDrainOptions, type World } from "../conformance/world.ts";

export const MINUTE_MS = 60_000;

/** A payload of the class that the drains of {@link openLimited} know a limit for. */
export const send = (...args: unknown[]): string => `{"class":"Send","args":${JSON.stringify(args)}}`;
export const sends = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => send(from + i));

/** A drain that numbers its exchanges. */
export interface LimitedDrain extends TestDrain {
  exchange(params: Partial<ExchangeParams>): Promise<ExchangeResult>;
  /** Fills so many slots, those that are in use included. */
  fill(count: number, from?: number): Promise<ExchangeResult>;
  settle(claims: readonly Claim[]): Promise<ExchangeResult>;
}

/** @param limit of the class `Send`; none knows a limit */
export function openLimited(world: World, limit?: LimitOptions, options: TestDrainOptions = {}): LimitedDrain {
  const registry = createRegistry(limit ? [{ class: "Send", limit, perform: () => undefined }] : []);
  const drain = world.drain({ registry, ...options });
  let seq = 0;
  const exchange: LimitedDrain["exchange"] = (params) =>
    drain.store.exchange({ seq: ++seq, attempt: 1, settle: [], fill: [], ...params });
  return {
    ...drain,
    exchange,
    fill: (count, from = 0) => exchange({ fill: slots(count, from) }),
    settle: (claims) => exchange({ settle: claims.map(ok) }),
  };
}

/** Pushes in steps, as a server takes only so much at a time. */
export async function pushMany(world: World, queue: string, raws: readonly string[]): Promise<void> {
  for (let i = 0; i < raws.length; i += 2_500) await world.push(queue, ...raws.slice(i, i + 2_500));
}
