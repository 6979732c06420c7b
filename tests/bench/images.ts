/**
 * The images the servers serve: an ext4 file system full of files, built once and then kept.
 *
 * @module
 */
import { must } from "../support/tools.ts";
import { writeTree } from "./tree.ts";

export type ImageName = "raw" | "qcow2" | "zlib" | "zstd" | "sparse" | "chain";

/** One image, and a raw one with the same contents for servers that know no other format. */
export interface BenchImage {
  readonly name: ImageName;
  readonly path: string;
  readonly format: "qcow2" | "raw";
  readonly rawPath: string;
  readonly sizeBytes: number;
  /** All files that are read when the image is read. */
  readonly files: readonly string[];
  /** Whether it is written to: every server then gets a copy of its own. */
  readonly isWritten: boolean;
}

/** How an image is made from the raw one. */
interface Recipe {
  readonly name: ImageName;
  /**
   * @param path the file to make
   * @param source the raw image
   * @returns further files that it needs
   */
  make(path: string, source: Source): Promise<unknown>;
  /** Files below it in the chain. */
  readonly below?: (path: string) => readonly string[];
  /** The raw image with the same contents, where it is not the source. */
  readonly raw?: (path: string) => string;
}

interface Source {
  readonly rawPath: string;
  readonly sizeBytes: number;
}

const MIB = 1024 * 1024;
/** Share of the file system filled with files; the rest holds ext4's own tables and free blocks. */
const FILLED = 0.8;
/** Changes whenever the contents do, so that older images are not taken. */
const REVISION = 2;
/** One in so many stretches of this size is written in a sparse image, and in each overlay. */
const STRETCH_BYTES = 4 * MIB;
const STRETCHES_APART = 8;

const RECIPES: readonly Recipe[] = [
  { name: "qcow2", make: (path, { rawPath }) => convert([], rawPath, path) },
  { name: "zlib", make: (path, { rawPath }) => convert(["-c"], rawPath, path) },
  {
    name: "zstd",
    make: (path, { rawPath }) => convert(["-c", "-o", "compression_type=zstd"], rawPath, path),
  },
  { name: "sparse", make: makeSparse, raw: (path) => `${path}.raw` },
  { name: "chain", make: makeChain, below: layers, raw: (path) => `${path}.raw` },
];

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
  const { name } = recipe;
  const { sizeBytes } = source;
  return { name, path, format: "qcow2", rawPath, sizeBytes, files, isWritten: false };
}

async function convert(how: readonly string[], from: string, to: string): Promise<void> {
  await must("qemu-img", "convert", "-O", "qcow2", ...how, from, to);
}

/** An eighth of the disk, in stretches; the rest was never written. */
async function makeSparse(path: string, { sizeBytes }: Source): Promise<void> {
  await must("qemu-img", "create", "-q", "-f", "qcow2", path, String(sizeBytes));
  await writeStretches(path, sizeBytes, 0);
}

/** The raw image's contents at the bottom, and two overlays with an eighth of the disk each. */
async function makeChain(path: string, { rawPath, sizeBytes }: Source): Promise<void> {
  const [middle, bottom] = layers(path.replace(/\.unfinished$/, "")) as [string, string];
  await convert([], rawPath, bottom);
  await overlay(middle, bottom);
  await writeStretches(middle, sizeBytes, 2);
  await overlay(path, middle);
  await writeStretches(path, sizeBytes, 5);
}

async function overlay(path: string, backing: string): Promise<void> {
  await must("qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", "qcow2", path);
}

function layers(path: string): readonly string[] {
  return [`${path}.middle`, `${path}.bottom`];
}

async function writeStretches(path: string, sizeBytes: number, first: number): Promise<void> {
  const commands = [];
  for (let at = first * STRETCH_BYTES; at < sizeBytes; at += STRETCHES_APART * STRETCH_BYTES) {
    const length = Math.min(STRETCH_BYTES, sizeBytes - at);
    commands.push("-c", `write -P ${1 + (at / STRETCH_BYTES) % 250} ${at} ${length}`);
  }
  await must("qemu-io", "-f", "qcow2", ...commands, path);
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

/** A copy of a raw image for one server to write to; the same file each time. */
export async function copyFor(owner: string, image: BenchImage): Promise<BenchImage> {
  const path = `${image.path}.${owner}`;
  await must("cp", "--sparse=always", image.path, path);
  return { ...image, path, rawPath: path, files: [path] };
}
