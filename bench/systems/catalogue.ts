import type { System, Transport } from "./system.ts";

/** A system that can be measured: how it is called, over what it runs, and where its code is. */
export interface CatalogueEntry {
  readonly name: string;
  readonly transports: readonly Transport[];
  /** Imported only in the process that measures or seeds it. */
  load(): Promise<System>;
}

export const CATALOGUE: readonly CatalogueEntry[] = [
  { name: "airlift", transports: ["http", "tcp"], load: async () => (await import("./airlift.ts")).airlift },
  { name: "floor", transports: ["http", "tcp"], load: async () => (await import("./floor.ts")).floor },
  { name: "floor-own", transports: ["http"], load: async () => (await import("./floor.ts")).floorOwn },
  { name: "bullmq", transports: ["tcp"], load: async () => (await import("./bullmq.ts")).bullmq },
  { name: "node-resque", transports: ["tcp"], load: async () => (await import("./node-resque.ts")).nodeResque },
];

/** @throws Error for a name that the catalogue does not hold */
export async function loadSystem(name: string): Promise<System> {
  const entry = CATALOGUE.find((candidate) => candidate.name === name);
  if (entry === undefined) throw new Error(`no such system: ${name}`);
  return entry.load();
}
