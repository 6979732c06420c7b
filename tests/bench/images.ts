/**
 * The images the servers serve: an ext4 file system full of files, built once and then kept.
 *
 * @module
 */
import { must } from "../support/tools.ts";
import { writeTree } from "./tree.ts";

/** One image, and a raw one with the same contents for servers that know no other format. */
export interface BenchImage {
  readonly name: string;
  readonly path: string;
  readonly format: "qcow2" | "raw";
  readonly rawPath: string;
  readonly sizeBytes: number;
}

/** How an image is made from the raw one. */
interface Recipe {
  readonly name: string;
  readonly format: "qcow2" | "raw";
  /** Arguments of `qemu-img convert`. */
  readonly convert: readonly string[];
}

const RECIPES: readonly Recipe[] = [
  { name: "qcow2", format: "qcow2", convert: ["-O", "qcow2"] },
];

const MIB = 1024 * 1024;
/** Share of the file system filled with files; the rest holds ext4's own tables and free blocks. */
const FILLED = 0.8;
/** Changes whenever the contents do, so that older images are not taken. */
const REVISION = 1;

/** Where images are kept between runs: about twice their size. */
export function cacheFolder(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME");
  return cache ? `${cache}/tslosetup-bench` : `/tmp/tslosetup-bench-${Deno.uid() ?? 0}`;
}

/** The images of a given virtual size, built if they are not there yet. */
export async function prepareImages(sizeMib: number): Promise<BenchImage[]> {
  const folder = cacheFolder();
  ownFolder(folder);
  const stem = `${folder}/ext4-${sizeMib}m-r${REVISION}`;
  const rawPath = `${stem}.raw`;
  await unlessThere(rawPath, (path) => makeRaw(path, sizeMib));
  const images = [];
  for (const { name, format, convert } of RECIPES) {
    const path = `${stem}.${name}`;
    await unlessThere(path, (path) => must("qemu-img", "convert", ...convert, rawPath, path));
    images.push({ name, path, format, rawPath, sizeBytes: sizeMib * MIB });
  }
  return images;
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
