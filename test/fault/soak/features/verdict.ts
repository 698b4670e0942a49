/** What became of one promise. */
export interface Verdict {
  readonly feature: string;
  readonly promise: string;
  /** How many cases of it were looked at. */
  readonly checked: number;
  /** The first of the cases in which it was broken, told. */
  readonly broken: readonly string[];
  readonly brokenCount: number;
}

/** A verdict in the making. */
export interface OpenVerdict extends Verdict {
  /** Looks at one case. */
  check(isKept: boolean, tell: () => string): void;
}

const MAX_TOLD = 5;

export function openVerdict(feature: string, promise: string): OpenVerdict {
  const broken: string[] = [];
  let checked = 0;
  let brokenCount = 0;
  return {
    ...{ feature, promise, broken },
    get checked() {
      return checked;
    },
    get brokenCount() {
      return brokenCount;
    },
    check(isKept, tell) {
      checked++;
      if (isKept) return;
      brokenCount++;
      if (broken.length < MAX_TOLD) broken.push(tell());
    },
  };
}

/** Whether a promise was kept. One that was never put to the test was not. */
export function isKept({ checked, brokenCount }: Verdict): boolean {
  return checked > 0 && brokenCount === 0;
}
