/** What a worker's id says: `host:pid:queues`, and what programs make of it. */
export interface WorkerName {
  readonly host: string;
  /** Undefined if the id holds none. */
  readonly pid?: number;
  /** Airlift and goworker: `pid-n`; node-resque: `pid+n`. */
  readonly slot?: number;
  /** None if the id has no such part, which breaks Ruby's own list of workers. */
  readonly queues: readonly string[];
  /** For a worker of Airlift's: which drain it belongs to, by the drain's host. */
  readonly isAirlift: boolean;
}

/** An id without its queues, which node-resque has for a worker's name. */
export function nodeNameOf(id: string): string {
  return id.split(":", 2).join(":");
}

/** Takes an id apart, whatever it is. */
export function parseWorkerId(id: string): WorkerName {
  const [host = "", process = "", ...rest] = id.split(":");
  const [, pid, slot] = /^(\d+)(?:[-+](\d+))?$/.exec(process) ?? [];
  const queues = rest.join(":");
  return {
    host,
    ...(pid !== undefined && { pid: Number(pid) }),
    ...(slot !== undefined && { slot: Number(slot) }),
    queues: queues === "" ? [] : queues.split(","),
    isAirlift: host.startsWith("airlift-") && slot !== undefined && process.includes("-"),
  };
}
