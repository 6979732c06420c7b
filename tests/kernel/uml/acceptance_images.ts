/**
 * Images for the acceptance tests, all from one generated tree of files.
 *
 *     tree/ tree.sha256         the files, and their sums as sha256sum prints them
 *     ext4.raw                  an ext4 with them; plain.qcow2 and compressed.qcow2 are its copies
 *     partitions.qcow2          two partitions, the second with that ext4
 *     tiny.raw tiny.qcow2       one partition, no file system
 *     truncated.qcow2           ends within the header
 *     matrix/NUMBER/0.qcow2     images of the matrix, some of all; 0.qcow2.raw is the disk
 *
 * @module
 */
import { makeMatrixImage, rawCopy } from "../../matrix/make.ts";
import { chooseRecipes, type Recipe } from "../../matrix/recipe.ts";
import { must } from "../../support/tools.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const EXT4_BYTES = 48 * MIB;
const PARTITION_START = 4 * MIB;

/** Makes the images in `folder`. */
export async function makeImages(folder: string): Promise<void> {
  const file = (name: string): string => `${folder}/${name}`;
  await makeTree(file("tree"));
  await Deno.writeTextFile(file("tree.sha256"), await sumsOf(file("tree")));
  await makeEmpty(file("ext4.raw"), EXT4_BYTES);
  await must("mkfs.ext4", "-q", "-d", file("tree"), file("ext4.raw"));
  await toQcow(file("ext4.raw"), file("plain.qcow2"), []);
  await toQcow(file("ext4.raw"), file("compressed.qcow2"), ["-c"]);
  await makePartitions(file("partitions.raw"), file("ext4.raw"));
  await toQcow(file("partitions.raw"), file("partitions.qcow2"), []);
  await makeTiny(file("tiny.raw"));
  await toQcow(file("tiny.raw"), file("tiny.qcow2"), ["-c"]);
  const start = (await Deno.readFile(file("tiny.qcow2"))).subarray(0, 60);
  await Deno.writeFile(file("truncated.qcow2"), start);
  await makeMatrix(file("matrix"));
}

const MATRIX_IMAGES = 30;

/** Names that start from the root would be other files in a guest; keys are what other tests are about. */
function isPossible({ encryption, dataFile, depth, backingName, size }: Recipe): boolean {
  const namesAreRelative = dataFile === "none" && (depth === 0 || backingName === "relative");
  return namesAreRelative && encryption === "none" && size !== "large";
}

async function makeMatrix(folder: string): Promise<void> {
  const recipes = chooseRecipes(400, 7).filter(isPossible).slice(0, MATRIX_IMAGES);
  for (const [number, recipe] of recipes.entries()) {
    const own = `${folder}/${number}`;
    await Deno.mkdir(own, { recursive: true });
    await rawCopy(await makeMatrixImage(own, recipe));
  }
}

/** What a system mounts below its root, and the links to /usr. */
const ROOT_FOLDERS = ["dev", "etc", "proc", "run", "sys", "tmp", "usr"];
const ROOT_LINKS = ["bin", "lib", "lib64", "sbin"];

/** Many small files, some larger ones, holes, odd names; and what a root file system has to have. */
async function makeTree(folder: string): Promise<void> {
  for (let number = 0; number < 120; number++) {
    const subfolder = `${folder}/folder ${number % 7}/ä${number % 3}`;
    await Deno.mkdir(subfolder, { recursive: true });
    const text = `${number} and so on `.repeat(number * 40);
    await Deno.writeTextFile(`${subfolder}/file-${number}.txt`, text);
  }
  for (let number = 1; number <= 8; number++) {
    await Deno.writeFile(`${folder}/random-${number}.bin`, randomBytes(number * 200 * KIB + 17));
  }
  for (const name of ROOT_FOLDERS) await Deno.mkdir(`${folder}/${name}`);
  for (const name of ROOT_LINKS) await Deno.symlink(`usr/${name}`, `${folder}/${name}`);
  await Deno.writeFile(`${folder}/empty`, new Uint8Array());
  await makeEmpty(`${folder}/holes`, 6 * MIB);
  await patch(`${folder}/holes`, 5 * MIB - 3, randomBytes(KIB));
}

function randomBytes(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 64 * KIB) {
    crypto.getRandomValues(bytes.subarray(at, at + 64 * KIB));
  }
  return bytes;
}

/** Sums of all files, by their path from `folder`. */
async function sumsOf(folder: string): Promise<string> {
  const script = 'cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum';
  return await must("sh", "-c", script, "sh", folder);
}

async function makeEmpty(path: string, size: number): Promise<void> {
  await Deno.writeFile(path, new Uint8Array());
  await Deno.truncate(path, size);
}

async function patch(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.seek(offset, Deno.SeekMode.Start);
  await file.write(bytes);
}

async function toQcow(raw: string, qcow: string, options: readonly string[]): Promise<void> {
  await must("qemu-img", "convert", "-f", "raw", "-O", "qcow2", ...options, raw, qcow);
}

async function makePartitions(path: string, fileSystem: string): Promise<void> {
  await makeEmpty(path, PARTITION_START + EXT4_BYTES + MIB);
  const [first, second] = [MIB / 512, PARTITION_START / 512];
  await partition(path, [`${first},2048`, `${second},${EXT4_BYTES / 512}`]);
  const blocks = `bs=${MIB}`;
  const place = `seek=${PARTITION_START / MIB}`;
  await must("dd", `if=${fileSystem}`, `of=${path}`, blocks, place, "conv=notrunc,sparse");
}

async function makeTiny(path: string): Promise<void> {
  await makeEmpty(path, 2 * MIB);
  await partition(path, ["2048,1024"]);
  await patch(path, 300 * KIB + 5, randomBytes(100 * KIB));
}

async function partition(path: string, lines: readonly string[]): Promise<void> {
  const script = 'printf "%s\\n" "label: dos" "$2" | sfdisk -q "$1"';
  await must("sh", "-c", script, "sh", path, lines.join("\n"));
}
