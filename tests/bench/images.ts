/**
 * The images the servers serve: an ext4 file system full of files, built once and then kept.
 *
 * @module
 */
import { must } from "../support/tools.ts";
import { type ImageName, type Recipe, RECIPES, type Source } from "./image_recipes.ts";
import { writeTree } from "./tree.ts";

/** One image, and a raw one with the same contents for servers that know no other format. */
export interface BenchImage {
  readonly name: ImageName;
  readonly path: string;
  /** By qemu's name. */
  readonly format: string;
  readonly rawPath: string;
  readonly sizeBytes: number;
  /** All files that are read when the image is read. */
  readonly files: readonly string[];
  /** Whether it is written to: every server then gets a copy of its own. */
  readonly isWritten: boolean;
  /** The option of a server that has what is written go elsewhere. */
  readonly overlay?: string;
}

const MIB = 1024 * 1024;
/** Share of the file system filled with files; the rest holds ext4's own tables and free blocks. */
const FILLED = 0.8;
/** Changes whenever the contents do, so that older images are not taken. */
const REVISION = 2;
/** Where images are kept between runs: about six times their size. */
export function cacheFolder(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME");
  return cache ? `${cache}/tslosetup-bench` : `/tmp/tslosetup-bench-${Deno.uid() ?? 0}`;
}

/** The images of a given virtual size, built if they are not there yet. */
export async function prepareImages(
  sizeMib: number,
  wanted: readonly ImageName[],
): Promise<BenchImage[]> {
  const folder = cacheFolder();
  ownFolder(folder);
  const stem = `${folder}/ext4-${sizeMib}m-r${REVISION}`;
  const source: Source = { rawPath: `${stem}.raw`, sizeBytes: sizeMib * MIB };
  await unlessThere(source.rawPath, (path) => makeRaw(path, sizeMib));
  const images = wanted.includes("raw") ? [rawImage(source)] : [];
  for (const recipe of RECIPES.filter(({ name }) => wanted.includes(name))) {
    images.push(await prepare(recipe, `${stem}.${recipe.name}`, source));
  }
  return images;
}

function rawImage({ rawPath, sizeBytes }: Source): BenchImage {
  const files = [rawPath];
  return { name: "raw", path: rawPath, format: "raw", rawPath, sizeBytes, files, isWritten: true };
}

async function prepare(recipe: Recipe, path: string, source: Source): Promise<BenchImage> {
  await unlessThere(path, (unfinished) => recipe.make(unfinished, source));
  const rawPath = recipe.raw?.(path) ?? source.rawPath;
  await unlessThere(rawPath, (raw) => must("qemu-img", "convert", "-O", "raw", path, raw));
  const files = [path, ...recipe.below?.(path) ?? []];
  const { name, format = "qcow2" } = recipe;
  const { sizeBytes } = source;
  const isWritten = recipe.isWritten === true;
  return { name, path, format, rawPath, sizeBytes, files, isWritten };
}

/** In a folder that all may write to, somebody else could have put files under our name. */
function ownFolder(folder: string): void {
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, isSymlink } = Deno.lstatSync(folder);
  if (isSymlink || uid !== Deno.uid()) throw new Error(`${folder} belongs to somebody else`);
}

/** Makes a file under another name first: an interrupted run leaves nothing that looks complete. */
async function unlessThere(
  path: string,
  make: (path: string) => Promise<unknown>,
): Promise<void> {
  if (exists(path)) return;
  const unfinished = `${path}.unfinished`;
  try {
    await make(unfinished);
    Deno.renameSync(unfinished, path);
  } catch (error) {
    if (exists(unfinished)) Deno.removeSync(unfinished);
    throw error;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

async function makeRaw(path: string, sizeMib: number): Promise<void> {
  const tree = `${path}.tree`;
  try {
    await writeTree(tree, Math.floor(sizeMib * MIB * FILLED));
    await must("qemu-img", "create", "-q", "-f", "raw", path, `${sizeMib}M`);
    await must("/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-d", tree, path);
  } finally {
    if (exists(tree)) Deno.removeSync(tree, { recursive: true });
  }
}

/** Reads a file to its end, so that all of it is in the page cache. */
export async function warm(path: string): Promise<void> {
  await must("dd", `if=${path}`, "of=/dev/null", "bs=1M", "status=none");
}

/** Drives a file out of the page cache (GNU dd: a count of 0 with `nocache` means all of it). */
export async function chill(path: string): Promise<void> {
  await must("sync", path);
  await must("dd", `if=${path}`, "iflag=nocache", "count=0", "status=none");
}

/** A copy of an image for one server to write to, a raw one or not; the same file each time. */
export async function copyFor(
  owner: string,
  image: BenchImage,
  use: "raw" | "own",
): Promise<BenchImage> {
  const source = use === "raw" ? image.rawPath : image.path;
  const path = `${source}.${owner}`;
  await must("cp", "--sparse=always", source, path);
  return { ...image, path, rawPath: path, files: [path] };
}
