import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { publicEntries, root, sourceOf } from "../../scripts/entries.ts";
import { parseModule } from "./module-graph.ts";

/** Each public entry with the names that it exports, types included. */
function publicNames(): string {
  return publicEntries()
    .map(({ name, file }) => {
      const path = sourceOf(file);
      const { exports } = parseModule(path, readFileSync(new URL(path, root), "utf8"));
      return `${name}\n${exports
        .toSorted()
        .map((each) => `  ${each}\n`)
        .join("")}`;
    })
    .join("\n");
}

test("the public names are those that were agreed on (accept a change with `npx vitest run test/package -u`)", async () => {
  await expect(publicNames()).toMatchFileSnapshot("public-names.txt");
});

test("no entry exports all that another file has, or a default", () => {
  expect(publicNames()).not.toMatch(/^ {2}(\*|default)$/m);
});
