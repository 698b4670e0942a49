/**
 * What a drain knows of Redis' clock. A reply that tells the time was written at some moment between its request's departure and its own arrival, so
 * it may be wrong by half of that; and a host's clock may be set while the drain runs.
 */
export interface RedisClock {
  /** Redis' clock minus ours, as near as is known. */
  readonly offsetMs: number;
  /** What it shows now, as near as is known. */
  nowMs(): number;
  /** What it shows now at most: for what must not come too early. */
  latestMs(): number;
  /** Redis has told the time, in a reply to what was sent at `sentAtMs` by our clock, and which has just arrived. */
  note(redisMs: number, sentAtMs: number): void;
}

/** @param nowMs our clock; taken for Redis' own until that has told its time */
export function createRedisClock(nowMs: () => number): RedisClock {
  let offsetMs = 0;
  let errorMs = 0;
  return {
    get offsetMs() {
      return offsetMs;
    },
    nowMs: () => nowMs() + offsetMs,
    latestMs: () => nowMs() + offsetMs + errorMs,
    note(redisMs, sentAtMs) {
      const arrivedMs = nowMs();
      offsetMs = redisMs - (sentAtMs + arrivedMs) / 2;
      // A clock that was set back meanwhile makes it no better.
      errorMs = Math.max(0, (arrivedMs - sentAtMs) / 2);
    },
  };
}
