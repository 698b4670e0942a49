import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { publicEntries, root } from "../../scripts/entries.ts";

const run = promisify(execFile);
const repository = fileURLToPath(root);
const tool = (name: string): string => join(repository, "node_modules", ".bin", name);

let folder: string;
let tarball: string;
/** The package as npm would install it; its dependencies are links to this repository's. */
let installed: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "airlift-package-"));
  await run("npm", ["pack", "--ignore-scripts", "--pack-destination", folder], { cwd: repository });
  const [name] = (await readdir(folder)).filter((file) => file.endsWith(".tgz"));
  tarball = join(folder, name ?? "missing.tgz");
  installed = join(folder, "node_modules", "airlift");
  await mkdir(installed, { recursive: true });
  await run("tar", ["-xzf", tarball, "--strip-components=1", "-C", installed]);
  const { dependencies } = JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
  for (const dependency of Object.keys(dependencies)) {
    const link = join(folder, "node_modules", dependency);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(repository, "node_modules", dependency), link);
  }
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Runs a module in the consumer's folder; resolves with what it printed. */
async function runConsumer(source: string): Promise<string> {
  const file = join(folder, "consumer.mjs");
  await writeFile(file, source);
  return (await run(process.execPath, [file], { cwd: folder })).stdout;
}

test("publint finds nothing", async () => {
  const { stdout } = await run(tool("publint"), ["run", tarball, "--strict"]);
  expect(stdout).toContain("All good!");
});

test("are-the-types-wrong finds nothing, for importers of modules", async () => {
  // Ends with status 1, which rejects, on a problem that the profile does not ignore.
  const { stdout } = await run(tool("attw"), [tarball, "--profile", "esm-only", "--format", "json"], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const { entrypoints } = JSON.parse(stdout).analysis;
  const checked = Object.keys(entrypoints).map((path) => `airlift${path.slice(1)}`);
  expect(checked).toEqual(expect.arrayContaining(publicEntries().map(({ name }) => name)));
});

test("the tarball holds what is needed and no test, no source but the examples", async () => {
  const files = (await readdir(installed, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1));
  expect(files.filter((path) => !path.startsWith("dist/")).sort()).toEqual([
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "examples/jobs.ts",
    "package.json",
  ]);
  expect(files.filter((path) => path.startsWith("dist/") && !/(\.js|\.js\.map|\.d\.ts)$/.test(path))).toEqual([]);
});

test("each entry can be imported from an installed package, and exports something", async () => {
  const names = publicEntries().map(({ name }) => name);
  const output = await runConsumer(`
    const names = ${JSON.stringify(names)};
    const counts = await Promise.all(names.map(async (name) => [name, Object.keys(await import(name)).length]));
    console.log(JSON.stringify(counts.filter(([, count]) => count > 0).map(([name]) => name)));
  `);
  expect(JSON.parse(output)).toEqual(names);
});

test("an edge runtime gets the client without the SDK, everything else the one with it", async () => {
  await writeFile(join(folder, "worker.mjs"), 'export { upstash } from "airlift/redis/upstash";');
  const packagesFor = async (...conditions: string[]): Promise<string[]> => {
    const { metafile } = await build({
      ...{ entryPoints: [join(folder, "worker.mjs")], bundle: true, write: false, metafile: true, format: "esm" },
      ...{ platform: "node", conditions, logLevel: "silent" },
    });
    return Object.keys(metafile.inputs).filter((path) => path.includes("@upstash"));
  };
  expect(await packagesFor()).not.toEqual([]);
  expect(await packagesFor("workerd", "worker", "browser")).toEqual([]);
  expect(await packagesFor("edge-light")).toEqual([]);
});

test("an installed package's declarations compile in a strict project", async () => {
  const imports = publicEntries().map(({ name }, index) => `import * as entry${index} from ${JSON.stringify(name)};`);
  const uses = publicEntries().map((_, index) => `entry${index}`);
  await writeFile(
    join(folder, "consumer.ts"),
    `${imports.join("\n")}\nexport const all: object[] = [${uses.join(", ")}];\n`,
  );
  const options = ["--strict", "--noEmit", "--target", "es2024", "--skipLibCheck", "--types", "node"];
  const typeRoots = ["--typeRoots", join(repository, "node_modules", "@types")];
  for (const resolution of [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ] as const) {
    const [module, moduleResolution] = resolution;
    const flags = ["--module", module, "--moduleResolution", moduleResolution];
    const { stdout } = await run(tool("tsc"), ["--ignoreConfig", ...options, ...typeRoots, ...flags, "consumer.ts"], {
      cwd: folder,
    });
    expect(stdout).toBe("");
  }
});

test("the installed command shows its help and its version", async () => {
  const command = join(installed, "dist", "cli", "main.js");
  const help = await run(process.execPath, [command, "--help"]);
  expect(help.stdout).toMatch(/^Usage: airlift /);
  const { version } = JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
  expect((await run(process.execPath, [command, "--version"])).stdout.trim()).toBe(version);
});

test("the installed command runs the whole system and works an app's jobs", async () => {
  const app = join(folder, "jobs.ts");
  await writeFile(
    app,
    `import { defineJob } from "airlift";
    enum Greeting { hello = "hello" }
    export const jobs = [
      defineJob<[name: string]>({ class: "Greet", perform: ([name]) => console.log(Greeting.hello, name) }),
    ];
    export const samples = [{ queue: "greetings", class: "Greet", args: ["ada"] }];\n`,
  );
  const command = join(installed, "dist", "cli", "main.js");
  const ports = ["--port", "0", "--rest-port", "0", "--redis-port", "0"];
  const { stdout } = await run(process.execPath, [command, "dev", "--app", app, "--once", ...ports], { cwd: folder });
  expect(stdout).toContain("hello ada");
  expect(stdout).toMatch(/1 job in .*: 1 succeeded/);
});
