import { readFileSync } from "node:fs";
import type { ArgumentSerializer } from "../../src/active-job/active-job.ts";
import { deserializeArguments, serializeArguments } from "../../src/active-job/active-job.ts";
import { parseJson } from "../../src/core/json.ts";
import { type JobData, unwrapActiveJob } from "../../src/resque/active-job-wrapper.ts";

export const VERSIONS = ["7.0", "7.2", "8.1"] as const;
export type Version = (typeof VERSIONS)[number];

/** One line of fixtures/rails-<version>.tsv. */
export interface Fixture {
  readonly name: string;
  /** As Rails wrote it. */
  readonly raw: string;
  readonly data: JobData;
}

export function readFixtures(version: Version): readonly Fixture[] {
  const text = readFileSync(new URL(`fixtures/rails-${version}.tsv`, import.meta.url), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [name = "", raw = ""] = line.split("\t");
      const unwrapped = unwrapActiveJob(parseJson(raw) as { class?: unknown; args?: unknown });
      if (!unwrapped) throw new Error(`${name}: not an Active Job`);
      return { name, raw, data: unwrapped.jobData };
    });
}

export function readFixture(version: Version, name: string): Fixture {
  const fixture = readFixtures(version).find((each) => each.name === name);
  if (!fixture) throw new Error(`no fixture ${name} of Rails ${version}`);
  return fixture;
}

/** The value of generate.rb's own serializer. */
export class Money {
  readonly cents: number;
  readonly currency: unknown;

  constructor(cents: number, currency: unknown) {
    this.cents = cents;
    this.currency = currency;
  }
}

export const moneySerializer: ArgumentSerializer<Money> = {
  name: "MoneySerializer",
  deserialize: ({ cents, currency }) => new Money(cents as number, deserializeArguments(currency)[0]),
  handles: (value) => value instanceof Money,
  serialize: ({ cents, currency }) => ({ cents, currency: serializeArguments([currency]) }),
};
