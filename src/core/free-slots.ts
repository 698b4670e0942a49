/** Which slots of a drain hold no job. */
export interface FreeSlots {
  /** At most `count` slots to fill, those that are just being settled first; they are free no more. */
  take(count: number, settled: readonly number[]): readonly number[];
  free(slots: readonly number[]): void;
  occupy(slot: number): void;
}

export function createFreeSlots(size: number): FreeSlots {
  // An array of flags, as a Set that is changed for each job leaves garbage that V8's scavenger keeps (100 MB over a million jobs).
  const isFree = new Array<boolean>(size).fill(true);
  return {
    take(count, settled) {
      const slots = settled.slice(0, Math.max(0, count));
      for (const [slot, free] of isFree.entries()) {
        if (slots.length >= count) break;
        if (free) slots.push(slot);
      }
      for (const slot of slots) isFree[slot] = false;
      return slots;
    },
    free(slots) {
      for (const slot of slots) isFree[slot] = true;
    },
    occupy(slot) {
      isFree[slot] = false;
    },
  };
}
