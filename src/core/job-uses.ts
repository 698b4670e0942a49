/** What a run needs of a host that counts it, as Cloudflare does. */
export interface JobUses {
  /** Requests that it makes at most. @default 1 */
  readonly requests?: number;
  /** How many of its connections are open at the same time. @default 1 if it makes requests */
  readonly connections?: number;
  /** Workers that it calls through service bindings. @default 0 */
  readonly invocations?: number;
}

/** A definition, as far as it matters here. */
interface Definition {
  readonly uses?: JobUses;
  readonly perform: { readonly uses?: JobUses };
}

export const NO_USES: Required<JobUses> = { requests: 0, connections: 0, invocations: 0 };

/** Whether all of them are counts. */
export function isUses({ requests, connections, invocations }: Required<JobUses>): boolean {
  return [requests, connections, invocations].every((count) => Number.isFinite(count) && count >= 0);
}

/** What the definition says, or its target, or else what is usual. */
export function usesOf({ uses, perform }: Definition): Required<JobUses> {
  const { requests = 1, connections = Math.min(1, requests), invocations = 0 } = { ...perform.uses, ...uses };
  return { requests, connections, invocations };
}

/** The most that a run of any of these classes needs, each by itself. */
export function mostUsesOf(jobs: readonly Definition[]): Required<JobUses> {
  return jobs.map(usesOf).reduce(
    (most, uses) => ({
      requests: Math.max(most.requests, uses.requests),
      connections: Math.max(most.connections, uses.connections),
      invocations: Math.max(most.invocations, uses.invocations),
    }),
    NO_USES,
  );
}
