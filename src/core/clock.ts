/** Time, as the core is given it: it has none of its own, so that a test decides what happens when. */
export interface Clock {
  /** The wall clock, in milliseconds since the epoch. */
  nowMs(): number;
  /** It stands still while the program computes (Cloudflare's): how long that takes cannot be seen. */
  readonly standsStill?: boolean;
  /** Calls back once after `delayMs`; the returned function cancels it. */
  setTimer(delayMs: number, callback: () => void): () => void;
  /** Resolves after everything that is already due has run (a macrotask, without a timer's delay where the host has one). */
  yield(): Promise<void>;
}
