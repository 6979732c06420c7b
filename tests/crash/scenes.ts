/**
 * Images whose daemons come to a sudden end, attached to a socket.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { checkImage } from "../format/qcow/write/checker.ts";
import {
  ALL_RECIPES,
  formatOf,
  type Original,
  type OriginalRecipe,
} from "../format/qcow/write/originals.ts";
import { decryptByQemu, imageOptions, PASSPHRASE, SECRET_OBJECT } from "../support/encrypted.ts";
import { ExportedImage } from "../support/program.ts";
import { must, run, TempDirectory } from "../support/tools.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** What is looked at of an image: one of version 2 or 3, unless a recipe says something else. */
type ImageFiles = Pick<Original, "path" | "keys"> & { readonly recipe?: OriginalRecipe };

/** Large enough for the tables to grow, and a volume. */
const OTHERS: readonly OriginalRecipe[] = [
  { name: "empty, 32 MiB", sizeBytes: 32 * MIB, options: ["cluster_size=65536"] },
  { name: "empty, 12 MiB, 1 KiB", sizeBytes: 12 * MIB, options: ["cluster_size=1024"] },
  {
    name: "LUKS volume",
    sizeBytes: 512 * KIB,
    options: [],
    encryption: "volume",
    commands: ["write -q -P 7 0 300k"],
  },
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
  "version 1, compressed",
  "LUKS volume",
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
  "empty, 32 MiB",
  "empty, 12 MiB, 1 KiB",
  "version 1, empty",
  "version 1, backed",
  "version 1, AES",
];

/** Kinds of images, the most different ones first. */
export const SCENES: readonly OriginalRecipe[] = NAMES.map((name) => {
  const found = [...OTHERS, ...ALL_RECIPES].find((recipe) => recipe.name === name);
  if (found === undefined) throw new Error(`no image is called ${name}`);
  return found;
});

/** What offsets and lengths of changes mostly are multiples of. */
export function unitBytesOf({ version, options, encryption }: OriginalRecipe): number {
  if (encryption === "volume") return 512;
  // As qemu-img makes those of version 1.
  if (version === 1) return 4 * KIB;
  return Number(options[0]?.replace("cluster_size=", ""));
}

/**
 * Whether writes to such an image outlive the daemon as soon as they are answered, unless zeros and discards
 * come between them (README.md, "Writing to QCOW images").
 */
export function isPlain({ name, ...recipe }: OriginalRecipe): boolean {
  const { version, backing, compressed, afterSnapshot, encryption, dataFile } = recipe;
  if (version === 1) return false;
  const isCopied = backing ?? afterSnapshot ?? encryption ?? dataFile;
  return isCopied === undefined && !compressed && !name.startsWith("extended L2") &&
    !name.startsWith("zero clusters") && !name.endsWith("nearly full");
}

/** Attaches an image, each time to another socket. */
export async function attach(
  { path, keys, recipe }: Original,
  folder: TempDirectory,
  options: readonly string[] = [],
): Promise<ExportedImage> {
  const all = ["-t", formatOf(recipe) === "luks" ? "LUKS" : "QCOW", ...options];
  // Version 1 has no place to record it.
  if (recipe.version === 1 && recipe.backing !== undefined) {
    all.push("--backing-fmt", recipe.backing.format.toUpperCase());
  }
  if (keys !== undefined) {
    const keyFile = folder.file("key");
    Deno.writeTextFileSync(keyFile, PASSPHRASE);
    all.push("--key-file", keyFile);
  }
  const name = `socket-${crypto.randomUUID().slice(0, 8)}`;
  return await ExportedImage.attach({ folder, image: path, name, options: all });
}

/** What is on the disk of an image that is not attached, as qemu reads it. */
export async function contentOf({ path, keys, recipe }: ImageFiles): Promise<Uint8Array> {
  using folder = new TempDirectory("/dev/shm");
  const raw = folder.file("raw");
  const format = qemuFormat(recipe);
  if (keys !== undefined) await decryptByQemu(path, format, raw);
  else await must("qemu-img", "convert", "-f", format, "-O", "raw", path, raw);
  return Deno.readFileSync(raw);
}

function qemuFormat(recipe: OriginalRecipe | undefined): ReturnType<typeof formatOf> {
  return recipe === undefined ? "qcow2" : formatOf(recipe);
}

/** What `qemu-img check` is told of an image. */
function nameForQemu({ path, keys }: ImageFiles): string[] {
  if (keys === undefined) return ["-f", "qcow2", path];
  return [...SECRET_OBJECT, "--image-opts", imageOptions(path, "qcow2")];
}

/** Makes sure that an image is valid; how many clusters count as used that are not. */
export async function leaksIn(original: ImageFiles): Promise<number> {
  const format = qemuFormat(original.recipe);
  // A volume has nothing but what is on its disk.
  if (format === "luks") return 0;
  const { corruptions, leaks } = checkImage(Deno.readFileSync(original.path));
  assertEquals(corruptions.slice(0, 3), []);
  if (format !== "qcow2") return leaks;
  const { code, stdout, stderr } = await run("qemu-img", "check", ...nameForQemu(original));
  assert(code === 0 || code === 3, `qemu-img check exits ${code}: ${stdout}${stderr}`);
  return leaks;
}

/** Frees what counts as used and is not, as README.md recommends after a crash. */
export async function freeLeaks(original: ImageFiles): Promise<void> {
  if (qemuFormat(original.recipe) !== "qcow2") return;
  await must("qemu-img", "check", "-q", "-r", "leaks", ...nameForQemu(original));
}
