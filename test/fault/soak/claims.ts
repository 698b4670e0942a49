import { exchange } from "../../../src/resque/generated/exchange.generated.ts";
import type { PassedRequest } from "../harness/fault-proxy.ts";

/** That Redis handed a job to a process, or told it of one that it holds already. */
export interface SeenClaim {
  readonly atMs: number;
  readonly process: string;
  /** What befell the request. */
  readonly how: string;
}

/** Reads from what passes the proxy which jobs Redis handed to whom. */
export interface ClaimWatch {
  watch(passed: PassedRequest): void;
  of(job: number): readonly SeenClaim[];
}

/** A call names the script, or bears it whole. */
const MARKS = [exchange.sha1, exchange.keyLockingSha1, JSON.stringify(exchange.source).slice(1, -1)];

export function createClaimWatch(): ClaimWatch {
  const claims = new Map<number, SeenClaim[]>();
  return {
    watch({ atMs, client, fault, isLate, isDelivered, body, reply }) {
      if (!reply || !MARKS.some((mark) => body.includes(mark))) return;
      const how = [fault ?? "answered", ...(isLate ? ["late"] : []), ...(isDelivered ? [] : ["not told"])].join(", ");
      const claim = { atMs, process: client, how };
      for (const [, digits] of reply.toString("latin1").matchAll(/#(\d+)#/g)) {
        const job = Number(digits);
        const of = claims.get(job);
        if (of) of.push(claim);
        else claims.set(job, [claim]);
      }
    },
    of: (job) => claims.get(job) ?? [],
  };
}
