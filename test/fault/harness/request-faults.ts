import type { Random } from "./random.ts";

/**
 * What may befall one request between a client and Redis.
 *
 * - `drop-request`: the connection breaks, and Redis never hears of it
 * - `drop-reply`: Redis did it, and the connection breaks before a byte of the reply
 * - `cut-reply`: Redis did it, and the connection breaks in the middle of the reply
 * - `delay`: it reaches Redis later, and is answered
 * - `repeat-late`: it is answered, and its bytes reach Redis a second time, later, perhaps among newer requests
 * - `arrive-late`: nothing is answered; it reaches Redis for the first time when its client has given it up
 * - `stall-undone`, `stall-done`: nothing is answered; Redis never heard of it, or did it
 * - `status-429`: refused with a Retry-After, not done
 * - `status-500`, `status-502`: an error as JSON, or a page of HTML, whether Redis did it or not
 * - `full`: refused in Upstash's words for a database that is full, not done
 * - `unauthorized`: refused with 401, not done
 */
export const REQUEST_FAULTS = [
  "drop-request",
  "drop-reply",
  "cut-reply",
  "delay",
  "repeat-late",
  "arrive-late",
  "stall-undone",
  "stall-done",
  "status-429",
  "status-500",
  "status-502",
  "full",
  "unauthorized",
] as const;
export type RequestFault = (typeof REQUEST_FAULTS)[number];

/** The share of requests that meet each fault, from 0 to 1, together at most 1. */
export type FaultRates = Readonly<Partial<Record<RequestFault, number>>>;

/** What one request meets, decided when it arrives. */
export interface Fate {
  readonly fault: RequestFault | undefined;
  /** Whether Redis is told all the same, where the fault leaves that open. */
  readonly isDone: boolean;
  /** From 0 to 1: how late what comes late does, and where a reply is cut. */
  readonly share: number;
}

/** @throws RangeError if the rates are none */
export function checkRates(rates: FaultRates): void {
  let sum = 0;
  for (const [name, rate] of Object.entries(rates)) {
    if (!REQUEST_FAULTS.includes(name as RequestFault)) throw new RangeError(`no fault "${name}"`);
    if (!(rate >= 0)) throw new RangeError(`the rate of ${name} is ${rate}; expected a share from 0 to 1`);
    sum += rate;
  }
  if (sum > 1) throw new RangeError(`the rates of all faults are ${sum} together; expected at most 1`);
}

/** Draws three numbers whatever comes of them, so that other rates leave the same series. */
export function drawFate(rates: FaultRates, random: Random): Fate {
  const at = random.next();
  const isDone = random.chance(0.5);
  const share = random.next();
  let sum = 0;
  for (const fault of REQUEST_FAULTS) {
    sum += rates[fault] ?? 0;
    if (at < sum) return { fault, isDone, share };
  }
  return { fault: undefined, isDone, share };
}
