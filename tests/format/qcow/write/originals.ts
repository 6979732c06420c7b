/**
 * Images of every feature, made by qemu's tools, small enough to be written all over.
 *
 * @module
 */
import type { KeyRing } from "../../../../src/image/key_ring.ts";
import {
  createEncrypted,
  type EncryptedFormat,
  fillEncrypted,
  rightKeys,
} from "../../../support/encrypted.ts";
import { must } from "../../../support/tools.ts";

const KIB = 1024;

/** What images to be written to are made with. */
export const ORIGINAL_TOOLS = ["qemu-img", "qemu-io"] as const;

/** How an image is made. */
export interface OriginalRecipe {
  readonly name: string;
  /** Version 2 or 3, as the options say, if it is left out. */
  readonly version?: 1;
  readonly sizeBytes: number;
  /** For `-o`. */
  readonly options: readonly string[];
  /** What is below it, made first: its size, and what `qemu-io` does with it. */
  readonly backing?: { readonly sizeBytes: number; readonly format: "raw" | "qcow2" };
  /** What `qemu-io` does with it. */
  readonly commands?: readonly string[];
  /** Whether what is in it then is stored compressed. */
  readonly compressed?: boolean;
  /** What `qemu-io` does after a snapshot has been taken; without it, none is. */
  readonly afterSnapshot?: readonly string[];
  /** As a volume, it is one of LUKS, and no QCOW image. */
  readonly encryption?: "luks" | "aes" | "volume";
  readonly dataFile?: "raw" | "not raw";
  /** Granularities of its persistent bitmaps, the last of which is disabled. */
  readonly bitmaps?: readonly number[];
}

/** An image, ready to be written to. */
export interface Original {
  readonly recipe: OriginalRecipe;
  readonly path: string;
  readonly dataPath?: string;
  readonly backingPath?: string;
  /** What unlocks it, and keeps the key. */
  readonly keys?: KeyRing;
}

function options(clusterBytes: number, ...others: string[]): string[] {
  return [`cluster_size=${clusterBytes}`, ...others];
}

/** Fills `sizeBytes` with one pattern after the other. */
function patterns(sizeBytes: number, partBytes: number, first = 1): string[] {
  const commands: string[] = [];
  for (let at = 0, pattern = first; at < sizeBytes; at += partBytes, pattern++) {
    const bytes = Math.min(partBytes, sizeBytes - at);
    commands.push(`write -q -P ${pattern % 255 + 1} ${at} ${bytes}`);
  }
  return commands;
}

const SIZE = 512 * KIB;
const HALF = patterns(SIZE / 2, 24 * KIB);
const FULL = patterns(SIZE, 40 * KIB);

/** One for each feature, and some of features together. */
export const ORIGINAL_RECIPES: readonly OriginalRecipe[] = [
  { name: "empty", sizeBytes: SIZE, options: options(4096) },
  { name: "empty, 512 B", sizeBytes: 192 * KIB, options: options(512) },
  { name: "half full", sizeBytes: SIZE, options: options(4096), commands: HALF },
  { name: "64 KiB", sizeBytes: 1536 * KIB, options: options(65536), commands: HALF },
  { name: "2 MiB", sizeBytes: 5000 * KIB, options: options(2048 * KIB), commands: HALF },
  {
    name: "version 2",
    sizeBytes: SIZE,
    options: options(4096, "compat=0.10"),
    commands: HALF,
  },
  {
    name: "version 2, backed",
    sizeBytes: SIZE,
    options: options(4096, "compat=0.10"),
    backing: { sizeBytes: SIZE, format: "raw" },
    commands: HALF,
  },
  {
    name: "backed by a shorter file",
    sizeBytes: SIZE + 512,
    options: options(4096),
    backing: { sizeBytes: 300 * KIB + 512, format: "raw" },
  },
  {
    name: "backed by qcow2",
    sizeBytes: SIZE,
    options: options(2048),
    backing: { sizeBytes: SIZE, format: "qcow2" },
    commands: HALF,
  },
  { name: "compressed", sizeBytes: SIZE, options: options(4096), commands: FULL, compressed: true },
  {
    name: "compressed, 64 KiB, zstd",
    sizeBytes: 1024 * KIB,
    options: options(65536, "compression_type=zstd"),
    commands: FULL,
    compressed: true,
  },
  {
    name: "snapshot",
    sizeBytes: SIZE,
    options: options(4096),
    commands: FULL,
    afterSnapshot: ["write -q -P 77 100000 30000"],
  },
  {
    name: "snapshot, 512 B, compressed",
    sizeBytes: 128 * KIB,
    options: options(512),
    commands: patterns(128 * KIB, 5000),
    compressed: true,
    afterSnapshot: ["write -q -P 77 10000 3000"],
  },
  {
    name: "zero clusters",
    sizeBytes: SIZE,
    options: options(4096),
    commands: [...FULL, "write -q -z 65536 131072", "write -q -z -u 262144 65536"],
  },
  {
    name: "zero clusters, backed",
    sizeBytes: SIZE,
    options: options(4096),
    backing: { sizeBytes: SIZE, format: "raw" },
    commands: [...HALF, "write -q -z 65536 131072", "write -q -z -u 262144 65536"],
  },
  { name: "odd size", sizeBytes: 300 * KIB + 512, options: options(65536), commands: HALF },
  {
    name: "extended L2",
    sizeBytes: SIZE,
    options: options(16 * KIB, "extended_l2=on"),
    commands: HALF,
  },
  {
    name: "extended L2, backed",
    sizeBytes: SIZE + 512,
    options: options(16 * KIB, "extended_l2=on"),
    backing: { sizeBytes: SIZE, format: "raw" },
    commands: ["write -q -P 5 20000 3000", "write -q -z 65536 16384", "write -q -z 100352 2048"],
  },
  {
    name: "extended L2, compressed",
    sizeBytes: SIZE,
    options: options(16 * KIB, "extended_l2=on"),
    commands: FULL,
    compressed: true,
    afterSnapshot: ["write -q -P 77 100000 30000"],
  },
  {
    name: "extended L2, snapshot",
    sizeBytes: SIZE,
    options: options(16 * KIB, "extended_l2=on"),
    commands: HALF,
    afterSnapshot: ["write -q -P 77 100000 30000"],
  },
  {
    name: "data file",
    sizeBytes: SIZE,
    options: options(4096),
    commands: HALF,
    dataFile: "not raw",
  },
  {
    name: "raw data file",
    sizeBytes: SIZE,
    options: options(4096),
    commands: HALF,
    dataFile: "raw",
  },
  {
    name: "data file, backed",
    sizeBytes: SIZE,
    options: options(4096),
    backing: { sizeBytes: 300 * KIB + 512, format: "raw" },
    commands: HALF,
    dataFile: "not raw",
  },
  {
    name: "data file, extended L2",
    sizeBytes: SIZE,
    options: options(16 * KIB, "extended_l2=on"),
    commands: HALF,
    dataFile: "not raw",
  },
  { name: "LUKS", sizeBytes: SIZE, options: options(4096), commands: HALF, encryption: "luks" },
  {
    name: "LUKS, backed, 64 KiB",
    sizeBytes: SIZE,
    options: options(65536),
    backing: { sizeBytes: SIZE, format: "raw" },
    encryption: "luks",
  },
  {
    name: "LUKS, extended L2",
    sizeBytes: SIZE,
    options: options(16 * KIB, "extended_l2=on"),
    commands: HALF,
    encryption: "luks",
  },
  { name: "AES", sizeBytes: SIZE, options: options(4096), commands: HALF, encryption: "aes" },
  ...[1, 2, 4, 8, 32, 64].map((bits) => ({
    name: `counts of ${bits} bits`,
    sizeBytes: SIZE,
    options: options(512, `refcount_bits=${bits}`),
    commands: HALF,
  })),
  {
    name: "counts of 64 bits, snapshot",
    sizeBytes: SIZE,
    options: options(512, "refcount_bits=64"),
    commands: HALF,
    afterSnapshot: ["write -q -P 77 10000 3000"],
  },
  {
    // 64 blocks are all that the table has room for: 2 MiB.
    name: "counts of 64 bits, their table nearly full",
    sizeBytes: 2300 * KIB,
    options: options(512, "refcount_bits=64"),
    commands: patterns(1880 * KIB, 40 * KIB),
  },
  {
    name: "bitmaps",
    sizeBytes: SIZE,
    options: options(4096),
    commands: HALF,
    bitmaps: [4096, 65536, 4096],
  },
  {
    name: "bitmaps, 64 KiB, backed",
    sizeBytes: SIZE,
    options: options(65536),
    backing: { sizeBytes: SIZE, format: "raw" },
    bitmaps: [65536, 512, 1024],
  },
  {
    name: "lazy refcounts",
    sizeBytes: SIZE,
    options: options(4096, "lazy_refcounts=on"),
    commands: HALF,
  },
];

/** Images of version 1, of which qemu has clusters of 4096 bytes, or of 512 where something is below. */
export const VERSION1_RECIPES: readonly OriginalRecipe[] = [
  { name: "version 1, empty", version: 1, sizeBytes: SIZE, options: [] },
  {
    name: "version 1, odd size",
    version: 1,
    sizeBytes: SIZE / 2 + 512,
    options: [],
    commands: HALF,
  },
  {
    name: "version 1, backed",
    version: 1,
    sizeBytes: SIZE + 512,
    options: [],
    backing: { sizeBytes: 300 * KIB + 512, format: "raw" },
    commands: patterns(SIZE / 4, 5 * KIB),
  },
  {
    name: "version 1, compressed",
    version: 1,
    sizeBytes: SIZE,
    options: [],
    // qemu-img convert -c fails with this version.
    commands: patterns(SIZE, 4096).map((line) => line.replace("-P", "-c -P")),
  },
  {
    name: "version 1, AES",
    version: 1,
    sizeBytes: SIZE,
    options: [],
    commands: HALF,
    encryption: "aes",
  },
];

export const ALL_RECIPES: readonly OriginalRecipe[] = [...ORIGINAL_RECIPES, ...VERSION1_RECIPES];

/** The one of that name. */
export function recipeOf(name: string): OriginalRecipe {
  const recipe = ALL_RECIPES.find((one) => one.name === name);
  if (recipe === undefined) throw new Error("no such image");
  return recipe;
}

/** The format of a recipe's images as qemu names it. */
export function formatOf({ version, encryption }: OriginalRecipe): EncryptedFormat {
  if (encryption === "volume") return "luks";
  return version === 1 ? "qcow" : "qcow2";
}

const ENCRYPTION_OPTIONS = {
  luks: ["encrypt.format=luks", "encrypt.key-secret=s", "encrypt.iter-time=10"],
  aes: ["encrypt.format=aes", "encrypt.key-secret=s"],
  volume: ["key-secret=s", "iter-time=10"],
} as const;

/** Makes the image of a recipe in `folder`. */
export async function makeOriginal(folder: string, recipe: OriginalRecipe): Promise<Original> {
  const path = `${folder}/image.qcow2`;
  const backingPath = recipe.backing && await makeBacking(folder, recipe.backing);
  const dataPath = recipe.dataFile && `${folder}/data`;
  const all = [...recipe.options];
  if (dataPath !== undefined) {
    all.push(`data_file=${dataPath}`, `data_file_raw=${recipe.dataFile === "raw" ? "on" : "off"}`);
  }
  if (recipe.backing !== undefined) {
    all.push("backing_file=base");
    if (recipe.version !== 1) all.push(`backing_fmt=${recipe.backing.format}`);
  }
  if (recipe.encryption !== undefined) {
    await makeEncrypted(path, recipe, [...all, ...ENCRYPTION_OPTIONS[recipe.encryption]]);
  } else await makePlain(path, recipe, all);
  await addBitmaps(path, recipe);
  return {
    recipe,
    path,
    ...(dataPath === undefined ? {} : { dataPath }),
    ...(backingPath === undefined ? {} : { backingPath }),
    ...(recipe.encryption === undefined ? {} : { keys: rightKeys() }),
  };
}

async function addBitmaps(path: string, { bitmaps = [] }: OriginalRecipe): Promise<void> {
  for (const [index, granularity] of bitmaps.entries()) {
    const name = `bitmap${index}`;
    await must("qemu-img", "bitmap", "--add", "-g", `${granularity}`, path, name);
    if (index === bitmaps.length - 1) await must("qemu-img", "bitmap", "--disable", path, name);
  }
}

async function makeBacking(
  folder: string,
  { sizeBytes, format }: NonNullable<OriginalRecipe["backing"]>,
): Promise<string> {
  const path = `${folder}/base`;
  await must("qemu-img", "create", "-q", "-f", format, path, `${sizeBytes}`);
  await qemuIo(path, format, patterns(sizeBytes, 7 * KIB, 100));
  return path;
}

async function makeEncrypted(
  path: string,
  recipe: OriginalRecipe,
  all: readonly string[],
): Promise<void> {
  const { sizeBytes, commands = [] } = recipe;
  const format = formatOf(recipe);
  await createEncrypted(path, sizeBytes, { format, options: all });
  if (commands.length > 0) await fillEncrypted(path, format, commands);
}

async function makePlain(
  path: string,
  recipe: OriginalRecipe,
  all: readonly string[],
): Promise<void> {
  const { sizeBytes, commands = [], compressed, afterSnapshot } = recipe;
  const format = formatOf(recipe);
  const how = all.length === 0 ? [] : ["-o", all.join(",")];
  const backing = recipe.version === 1 && recipe.backing !== undefined ? ["-F", "raw"] : [];
  await must("qemu-img", "create", "-q", "-f", format, ...how, ...backing, path, `${sizeBytes}`);
  if (commands.length > 0) await qemuIo(path, format, commands);
  if (compressed) {
    const convert = ["convert", "-c", "-f", format, "-O", format, ...how];
    await must("qemu-img", ...convert, path, `${path}.compressed`);
    await Deno.rename(`${path}.compressed`, path);
  }
  if (afterSnapshot === undefined) return;
  await must("qemu-img", "snapshot", "-q", "-c", "before", path);
  if (afterSnapshot.length > 0) await qemuIo(path, "qcow2", afterSnapshot);
}

/** Has qemu-io execute `commands` on an image. */
export async function qemuIo(
  path: string,
  format: string,
  commands: readonly string[],
): Promise<void> {
  const lines = commands.flatMap((line) => ["-c", line]);
  await must("qemu-io", "-t", "unsafe", "-f", format, ...lines, path);
}
