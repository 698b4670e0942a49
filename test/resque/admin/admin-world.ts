import { createHash } from "node:crypto";
import type { AdminContext } from "../../../src/resque/admin/admin-context.ts";
import { NOW_MS, openWorld, type World } from "../../conformance/world.ts";
import type { Setup } from "../../support/setups.ts";

/** A world with an admin in it. */
export interface AdminWorld extends World {
  readonly context: AdminContext;
  /** A second admin, on a connection of its own. */
  newContext(): AdminContext;
  /** Puts entries at the end of a list. */
  fail(entries: readonly (string | Uint8Array)[], list?: string): Promise<void>;
  list(name: string): Promise<string[]>;
}

export async function openAdminWorld(kind: Setup): Promise<AdminWorld> {
  const world = await openWorld(kind);
  const context = { client: world.client, keys: world.keys, nowMs: () => NOW_MS };
  return {
    ...world,
    context,
    newContext: () => ({ ...context, client: world.setup.newClient() }),
    async fail(entries, list = world.keys.failed) {
      for (let at = 0; at < entries.length; at += 5_000) {
        await world.send(["RPUSH", list, ...entries.slice(at, at + 5_000)]);
      }
    },
    async list(name) {
      const [reply] = await world.send(["LRANGE", name, 0, -1]);
      return (reply as Uint8Array[]).map((entry) => Buffer.from(entry).toString("latin1"));
    },
  };
}

/** How an entry is named. */
export function idOf(entry: string | Uint8Array): string {
  return createHash("sha1").update(entry).digest("hex");
}

/** As `list` returns it. */
export function bytesOf(entry: string | Uint8Array): string {
  return Buffer.from(entry as string).toString("latin1");
}
