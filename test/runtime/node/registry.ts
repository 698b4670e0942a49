import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { root } from "../../../scripts/entries.ts";

const run = promisify(execFile);
const repository = fileURLToPath(root);

/** A package registry on this machine: this package, packed, and what is installed of its dependencies. Nothing is fetched from elsewhere. */
export interface Registry extends AsyncDisposable {
  readonly url: string;
}

interface Offer {
  readonly manifest: { readonly name: string; readonly version: string };
  tarball(): Promise<Buffer>;
}

export async function startRegistry(): Promise<Registry> {
  const folder = await mkdtemp(join(tmpdir(), "airlift-registry-"));
  const offers = new Map<string, Offer[]>();
  const add = (offer: Offer): void => {
    const { name } = offer.manifest;
    offers.set(name, [...(offers.get(name) ?? []), offer]);
  };
  await run("npm", ["pack", "--ignore-scripts", "--pack-destination", folder], { cwd: repository });
  const [packed = ""] = await readdir(folder);
  add({ manifest: await readManifest(repository), tarball: () => readFile(join(folder, packed)) });
  for (const path of await installedPaths()) {
    const from = join(repository, path);
    add({ manifest: await readManifest(from), tarball: () => pack(from) });
  }

  const server = createServer(async ({ url = "/" }, response) => {
    const [name = "", version] = decodeURIComponent(url.slice(1)).split("/-/");
    const versions = offers.get(name);
    const wanted = versions?.find(({ manifest }) => `${manifest.version}.tgz` === version);
    if (wanted) response.end(await wanted.tarball());
    else if (versions && version === undefined) response.end(JSON.stringify(describe(name, versions)));
    else response.writeHead(404).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A TCP server's address is an AddressInfo.
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const describe = (name: string, versions: readonly Offer[]): object => ({
    name,
    "dist-tags": { latest: versions[0]?.manifest.version },
    versions: Object.fromEntries(
      versions.map(({ manifest }) => [
        manifest.version,
        { ...manifest, dist: { tarball: `${url}${name}/-/${manifest.version}.tgz` } },
      ]),
    ),
  });
  return {
    url,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Where the packages are that users get, one in another's node_modules too. */
async function installedPaths(): Promise<string[]> {
  const lock = JSON.parse(await readFile(join(repository, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<
      Record<string, { readonly dev?: true; readonly devOptional?: true; readonly optional?: true }>
    >;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev, devOptional, optional }]) => path !== "" && !dev && !devOptional && !optional)
    .map(([path]) => path);
}

async function readManifest(folder: string): Promise<Offer["manifest"]> {
  return JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
}

async function pack(folder: string): Promise<Buffer> {
  const args = ["-czf", "-", "--exclude=./node_modules", "--transform=s,^\\.,package,", "-C", folder, "."];
  const { stdout } = await run("tar", args, { encoding: "buffer", maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}
