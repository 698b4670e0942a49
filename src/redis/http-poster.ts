/** What came back, whatever its status. */
export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly text: string;
}

export interface HttpPoster {
  /**
   * Sends one POST, once, and follows no redirect. Rejects with a {@link PostError} if there is no whole answer in time.
   *
   * @param path appended to the base address
   */
  post(path: string, body: string): Promise<HttpAnswer>;
  /** Closes idle connections. */
  close(): void;
}

/** No answer. Holds a code of the network's, and nothing of the request. */
export class PostError extends Error {
  /** As `ECONNREFUSED`; `timeout` for the time limit; undefined if there is none. */
  readonly code: string | undefined;

  constructor(code: string | undefined) {
    super("no answer");
    this.code = code;
  }
}

export interface HttpPostOptions {
  /** Address of the endpoint, no slash at its end. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** The network's code: node:http has it on the error, fetch on its cause. */
export function codeOf(error: unknown): string | undefined {
  for (const holder of [error, error instanceof Error ? error.cause : undefined]) {
    if (holder instanceof Error && "code" in holder && typeof holder.code === "string") return holder.code;
  }
  return undefined;
}
