import { describe, test } from "vitest";
import { type RubyGem, theRuby } from "./find-ruby.ts";

/**
 * `describe`, for what needs a Ruby with Resque. Where AIRLIFT_RUBY is not set, or its Ruby lacks one of these optional gems, a skipped
 * test says so; a Ruby that is named and cannot be used fails.
 */
export function describeBesideRuby(name: string, define: () => void, gems: readonly RubyGem[] = []): void {
  const reason = process.env["AIRLIFT_RUBY"] ? lackOf(gems) : "AIRLIFT_RUBY names no Ruby";
  if (reason === undefined) describe(name, define);
  else describe(name, () => void test("needs a Ruby", ({ skip }) => skip(reason)));
}

function lackOf(gems: readonly RubyGem[]): string | undefined {
  const { missing } = theRuby();
  const lacking = gems.filter((gem) => gem in missing);
  return lacking.length === 0 ? undefined : `the Ruby of AIRLIFT_RUBY lacks ${lacking.join(", ")}`;
}
