import { type DrainDescription, parseDescription, workerId } from "../drain-identity.ts";
import { readScore } from "../score.ts";
import type { AdminContext } from "./admin-context.ts";
import { checkNames, checkPage, type PageOptions } from "./page.ts";
import { readWorkers, type WorkerStatus } from "./workers.ts";

/** A drain of Airlift's that is under way, or has died and is not yet recovered. */
export interface DrainStatus extends DrainDescription {
  /** When its lease ends, by Redis' clock. */
  readonly leaseEndMs: number;
  /** Its lease has not ended. */
  readonly isAlive: boolean;
  /** Those of its workers that hold a job; the others are free slots. */
  readonly working: readonly WorkerStatus[];
}

/** A page of drains, the one whose lease ends first at the front. */
export interface DrainPage {
  readonly total: number;
  readonly drains: readonly DrainStatus[];
  /** The offset of the next page; undefined at the end. */
  readonly next: number | undefined;
}

/** Shows the drains, each with the jobs that it holds. */
export async function listDrains(context: AdminContext, options: PageOptions = {}): Promise<DrainPage> {
  checkNames("workers.drains", options, ["offset", "limit"]);
  const { offset, limit } = checkPage("workers.drains", options);
  const { client, keys } = context;
  const [time, total, flat] = (await client.pipeline([
    ["TIME"],
    ["ZCARD", keys.drains],
    ["ZRANGE", keys.drains, offset, offset + limit - 1, "WITHSCORES"],
  ])) as [string[], number, (string | number)[]];
  const nowMs = Number(time[0]) * 1_000;
  const drains: DrainStatus[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    const description = parseDescription(flat[i] as string);
    if (!description) continue;
    const ids = Array.from({ length: description.slots }, (_, slot) => workerId(description, slot));
    const workers = await readWorkers(context, ids);
    const leaseEndMs = readScore(flat[i + 1]);
    const working = workers.filter(({ job }) => job !== undefined);
    drains.push({ ...description, leaseEndMs, isAlive: leaseEndMs >= nowMs, working });
  }
  return { total, drains, next: offset + limit < total ? offset + limit : undefined };
}
