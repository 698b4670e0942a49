/** One POST. */
export interface HttpRequest {
  readonly url: URL;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  /** @param name in lower case */
  header(name: string): string | null;
  /** Decompressed. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Closes the connection, whatever is still to come; the body then ends, or throws. */
  close(): void;
}

/** Sends a request once, and follows no redirect. Rejects if there is no answer. */
export type HttpSend = (request: HttpRequest) => Promise<HttpAnswer>;

/** A name that leads to an address which is not on the internet. */
export class PrivateAddressError extends Error {
  override readonly name = "PrivateAddressError" as const;
}
