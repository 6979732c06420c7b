/**
 * Images whose daemons come to a sudden end, attached to a socket.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { checkImage } from "../format/qcow/write/checker.ts";
import {
  type Original,
  ORIGINAL_RECIPES,
  type OriginalRecipe,
} from "../format/qcow/write/originals.ts";
import { decryptByQemu, imageOptions, PASSPHRASE, SECRET_OBJECT } from "../support/encrypted.ts";
import { ExportedImage } from "../support/program.ts";
import { must, run, TempDirectory } from "../support/tools.ts";

const MIB = 1024 * 1024;

/** What is looked at of an image. */
type ImageFiles = Pick<Original, "path" | "keys">;

/** Large enough for the tables to grow. */
const LARGE: readonly OriginalRecipe[] = [
  { name: "empty, 32 MiB", sizeBytes: 32 * MIB, options: ["cluster_size=65536"] },
  { name: "empty, 12 MiB, 1 KiB", sizeBytes: 12 * MIB, options: ["cluster_size=1024"] },
];

const NAMES = [
  "empty",
  "half full",
  "backed by qcow2",
  "compressed",
  "snapshot",
  "extended L2, backed",
  "data file",
  "LUKS",
  "empty, 512 B",
  "64 KiB",
  "version 2, backed",
  "compressed, 64 KiB, zstd",
  "zero clusters",
  "extended L2, compressed",
  "2 MiB",
  "raw data file",
  "AES",
  "counts of 64 bits, their table nearly full",
  ...LARGE.map(({ name }) => name),
];

/** Kinds of images, the most different ones first. */
export const SCENES: readonly OriginalRecipe[] = NAMES.map((name) => {
  const found = [...LARGE, ...ORIGINAL_RECIPES].find((recipe) => recipe.name === name);
  if (found === undefined) throw new Error(`no image is called ${name}`);
  return found;
});

/**
 * Whether writes to such an image outlive the daemon as soon as they are answered, unless zeros and discards
 * come between them (README.md, "Writing to QCOW images").
 */
export function isPlain({ name, ...recipe }: OriginalRecipe): boolean {
  const { backing, compressed, afterSnapshot, encryption, dataFile } = recipe;
  const isCopied = backing ?? afterSnapshot ?? encryption ?? dataFile;
  return isCopied === undefined && !compressed && !name.startsWith("extended L2") &&
    !name.startsWith("zero clusters") && !name.endsWith("nearly full");
}

/** Attaches an image, each time to another socket. */
export async function attach(
  { path, keys }: Original,
  folder: TempDirectory,
  options: readonly string[] = [],
): Promise<ExportedImage> {
  const all = ["-t", "QCOW", ...options];
  if (keys !== undefined) {
    const keyFile = folder.file("key");
    Deno.writeTextFileSync(keyFile, PASSPHRASE);
    all.push("--key-file", keyFile);
  }
  const name = `socket-${crypto.randomUUID().slice(0, 8)}`;
  return await ExportedImage.attach({ folder, image: path, name, options: all });
}

/** What is on the disk of an image that is not attached, as qemu reads it. */
export async function contentOf({ path, keys }: ImageFiles): Promise<Uint8Array> {
  using folder = new TempDirectory("/dev/shm");
  const raw = folder.file("raw");
  if (keys !== undefined) await decryptByQemu(path, "qcow2", raw);
  else await must("qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, raw);
  return Deno.readFileSync(raw);
}

/** What `qemu-img check` is told of an image. */
function nameForQemu({ path, keys }: ImageFiles): string[] {
  if (keys === undefined) return ["-f", "qcow2", path];
  return [...SECRET_OBJECT, "--image-opts", imageOptions(path, "qcow2")];
}

/** Makes sure that an image is valid; how many clusters count as used that are not. */
export async function leaksIn(original: ImageFiles): Promise<number> {
  const { corruptions, leaks } = checkImage(Deno.readFileSync(original.path));
  assertEquals(corruptions.slice(0, 3), []);
  const { code, stdout, stderr } = await run("qemu-img", "check", ...nameForQemu(original));
  assert(code === 0 || code === 3, `qemu-img check exits ${code}: ${stdout}${stderr}`);
  return leaks;
}

/** Frees what counts as used and is not, as README.md recommends after a crash. */
export async function freeLeaks(original: ImageFiles): Promise<void> {
  await must("qemu-img", "check", "-q", "-r", "leaks", ...nameForQemu(original));
}
