import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, matchesGlob } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What an image is made of, as far as it can be had without Docker: its files, and how a container of it is started. */
export interface BuiltImage extends AsyncDisposable {
  readonly base: string;
  /** Where a container's process begins, in the image's files. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly stopSignal: string;
  /** ENTRYPOINT, and CMD behind it. */
  readonly command: readonly string[];
}

export interface BuildOptions {
  readonly dockerfile: URL;
  /** The folder that is sent to Docker. */
  readonly context: string;
  /** Of the commands that RUN. */
  readonly env: Readonly<Record<string, string>>;
}

interface Stage {
  readonly base: string;
  readonly root: string;
  workdir: string;
  env: Record<string, string>;
  user: string;
  stopSignal: string;
  entrypoint: readonly string[];
  cmd: readonly string[];
}

/**
 * Carries out what a Dockerfile says, in a folder for each stage, without what its base image holds. It knows the instructions that ours has, and refuses
 * others, and commands by a shell.
 */
export async function buildImage({ dockerfile, context, env }: BuildOptions): Promise<BuiltImage> {
  const folder = await mkdtemp(join(tmpdir(), "airlift-image-"));
  const ignored = (await readFile(new URL(`${dockerfile.href}.dockerignore`), "utf8")).split("\n").filter(Boolean);
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  const at = ({ root, workdir }: Stage, path = ""): string =>
    path.startsWith("/") ? join(root, path) : join(root, workdir, path);

  const copy = async (to: Stage, args: readonly string[]): Promise<void> => {
    const from = args[0]?.startsWith("--from=") ? stages.get(args[0].slice("--from=".length)) : undefined;
    const paths = args.filter((arg) => !arg.startsWith("--"));
    const target = paths.pop() ?? "";
    for (const path of paths) {
      const source = from ? at(from, path) : join(context, path);
      const isFolderItself = from !== undefined || path === ".";
      const skips = (file: string): boolean => ignored.some((glob) => matchesGlob(file, glob));
      const filter = (each: string): boolean => from !== undefined || !skips(each.slice(context.length + 1) || ".");
      const destination = isFolderItself ? at(to, target) : join(at(to, target), basename(path));
      await cp(source, destination, { recursive: true, verbatimSymlinks: true, filter });
    }
  };

  for (const line of instructions(await readFile(dockerfile, "utf8"))) {
    const [instruction = "", ...args] = line.split(/\s+/);
    if (instruction === "FROM") {
      const root = await mkdtemp(join(folder, "stage-"));
      const fresh = { workdir: "/", env: {}, user: "root", stopSignal: "SIGTERM", entrypoint: [], cmd: [] };
      stage = { base: args[0] ?? "", root, ...fresh };
      if (args[1] === "AS") stages.set(args[2] ?? "", stage);
      continue;
    }
    if (!stage) throw new Error(`${instruction} before FROM`);
    const rest = line.slice(instruction.length).trim();
    if (instruction === "WORKDIR") {
      stage.workdir = rest;
      await mkdir(at(stage), { recursive: true });
    } else if (instruction === "COPY") await copy(stage, args);
    else if (instruction === "RUN") await run("sh", ["-c", rest], { cwd: at(stage), env: { ...env, ...stage.env } });
    else if (instruction === "ENV") stage.env = { ...stage.env, ...Object.fromEntries([rest.split("=")]) };
    else if (instruction === "USER") stage.user = rest;
    else if (instruction === "STOPSIGNAL") stage.stopSignal = rest;
    else if (instruction === "ENTRYPOINT") stage.entrypoint = JSON.parse(rest);
    else if (instruction === "CMD") stage.cmd = JSON.parse(rest);
    else throw new Error(`${instruction} is not known here`);
  }
  if (!stage || (await readdir(stage.root)).length === 0) throw new Error("the image is empty");
  const { base, user, stopSignal, entrypoint, cmd } = stage;
  return {
    ...{ base, user, stopSignal, env: stage.env, folder: at(stage), command: [...entrypoint, ...cmd] },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

function instructions(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
}
