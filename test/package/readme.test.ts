import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { binEntries, publicEntries, root } from "../../scripts/entries.ts";

const run = promisify(execFile);
const readme = readFileSync(new URL("README.md", root), "utf8");
/** What the README shows as code, in blocks and in lines. */
const code = [...readme.matchAll(/```[^\n]*\n([\s\S]*?)```|`([^`\n]+)`/g)]
  .map(([, block, inline]) => block ?? inline ?? "")
  .join("\n");

const firsts = (pattern: RegExp): string[] => [...new Set([...code.matchAll(pattern)].map((match) => match[1] ?? ""))];

test("the README names only commands that there are", async () => {
  const [command] = binEntries();
  const { stdout } = await run(process.execPath, [fileURLToPath(new URL(command?.file ?? "", root)), "--help"]);
  const commands = [...(stdout.split("Commands:")[1] ?? "").matchAll(/^ {2}([a-z]+)/gm)].map((match) => match[1]);
  const named = firsts(/(?:^|[\s(])(?:npx )?airlift ([a-z]+)\b(?!:)/gm);
  expect(named).toContain("drain");
  expect(named.filter((name) => !commands.includes(name))).toEqual([]);
});

test("the README names only scripts that there are", () => {
  const { scripts } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
  expect(firsts(/npm run ([\w:-]+)/g).filter((name) => !(name in scripts))).toEqual([]);
  expect(code).toMatch(/npm cit/);
  expect(code).toMatch(/npm start/);
});

test("the README imports only public entries", () => {
  const names = publicEntries().map(({ name }) => name);
  expect(firsts(/from "(airlift[^"]*)"/g).filter((name) => !names.includes(name))).toEqual([]);
});

test("the README links only to files that there are", () => {
  const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1] ?? "");
  expect(links.filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
});
