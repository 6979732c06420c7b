/**
 * Images made by qemu's tools with seeded contents, and what has to be read from them.
 *
 * @module
 */
import { must } from "./tools.ts";

/** What the makers of {@link imageMatrix} need. */
export const IMAGE_TOOLS = ["qemu-img", "qemu-io"] as const;

/** How the clusters of an image are stored. */
export type Filling = "empty" | "plain" | "compressed" | "mixed" | "preallocated";

/** What an image shall be like. */
export interface ImageRecipe {
  readonly name: string;
  readonly compat: "0.10" | "1.1";
  readonly clusterBytes: number;
  readonly sizeBytes: number;
  readonly filling: Filling;
  readonly seed: number;
  /** Options of `qemu-img create` besides, as `name=value`. */
  readonly options?: readonly string[];
}

/** An image and its contents. */
export interface TestImage extends ImageRecipe {
  /** The QCOW image. */
  readonly path: string;
  /** The same disk as a raw file, converted by qemu-img. */
  readonly rawPath: string;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** Disk sizes by cluster size: none is a whole number of clusters, except for 512 bytes. */
const SIZES: ReadonlyMap<number, number> = new Map([
  [512, 1 * MIB + 3 * 512],
  [4 * KIB, 5 * MIB + 512],
  [64 * KIB, 9 * MIB + 7 * KIB + 512],
  [2 * MIB, 15 * MIB + 512],
]);

/** The recipes of {@link imageMatrix}, in its order. */
export function imageRecipes(): ImageRecipe[] {
  const recipes: ImageRecipe[] = [];
  const add = (
    compat: ImageRecipe["compat"],
    clusterBytes: number,
    filling: Filling,
    sizeBytes = SIZES.get(clusterBytes) ?? 3 * MIB + 512,
    options: readonly string[] = [],
  ): void => {
    const version = compat === "0.10" ? "v2" : "v3";
    const name = [version, clusterBytes, filling, sizeBytes, ...options].join("-");
    const seed = recipes.length + 1;
    recipes.push({ name, compat, clusterBytes, sizeBytes, filling, seed, options });
  };
  for (const compat of ["0.10", "1.1"] as const) {
    for (const clusterBytes of SIZES.keys()) {
      for (const filling of ["plain", "compressed", "mixed"] as const) {
        add(compat, clusterBytes, filling);
      }
    }
    add(compat, 64 * KIB, "empty");
    add(compat, 64 * KIB, "preallocated");
  }
  for (const clusterBytes of [1 * KIB, 16 * KIB, 128 * KIB, 1 * MIB]) {
    add("1.1", clusterBytes, "mixed");
  }
  for (const sizeBytes of [512, 64 * KIB - 512, 64 * KIB, 64 * MIB + 512]) {
    add("1.1", 64 * KIB, "mixed", sizeBytes);
  }
  for (const clusterBytes of SIZES.keys()) {
    add("1.1", clusterBytes, "mixed", undefined, ["compression_type=zstd"]);
  }
  for (const clusterBytes of [16 * KIB, 64 * KIB, 256 * KIB, 2 * MIB]) {
    add("1.1", clusterBytes, "mixed", undefined, ["extended_l2=on"]);
    add("1.1", clusterBytes, "mixed", undefined, ["extended_l2=on", "compression_type=zstd"]);
  }
  add("1.1", 64 * KIB, "plain", undefined, ["extended_l2=on"]);
  add("1.1", 64 * KIB, "preallocated", undefined, ["extended_l2=on"]);
  for (const bits of [1, 2, 4, 8, 32, 64]) {
    add("1.1", 4 * KIB, "mixed", undefined, [`refcount_bits=${bits}`]);
  }
  add("1.1", 64 * KIB, "mixed", undefined, ["lazy_refcounts=on"]);
  return recipes;
}

/**
 * The images of all recipes, made in `folder` one after the other. It takes some seconds; a caller
 * may remove the files of an image when it is done with it.
 */
export async function* imageMatrix(folder: string): AsyncGenerator<TestImage> {
  for (const recipe of imageRecipes()) yield await makeImage(folder, recipe);
}

/** Makes the image of one recipe in `folder`. */
export async function makeImage(folder: string, recipe: ImageRecipe): Promise<TestImage> {
  const path = `${folder}/${recipe.name}.qcow2`;
  const rawPath = `${folder}/${recipe.name}.raw`;
  await create(path, recipe);
  const commands = fillingCommands(recipe, await patternFile(folder));
  if (commands.length > 0) {
    await must(
      "qemu-io",
      "-t",
      "unsafe",
      "-f",
      "qcow2",
      ...commands.flatMap((line) => ["-c", line]),
      path,
    );
  }
  await must("qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, rawPath);
  return { ...recipe, path, rawPath };
}

async function create(path: string, recipe: ImageRecipe): Promise<void> {
  const options = [`compat=${recipe.compat}`, `cluster_size=${recipe.clusterBytes}`];
  options.push(...recipe.options ?? []);
  if (recipe.filling === "preallocated") options.push("preallocation=metadata");
  const args = ["create", "-q", "-f", "qcow2", "-o", options.join(","), path];
  await must("qemu-img", ...args, `${recipe.sizeBytes}`);
}

/** A file of bytes that repeat only after 1 MiB, half of them easy to compress. */
async function patternFile(folder: string): Promise<string> {
  const path = `${folder}/pattern.bin`;
  const random = randomNumbers(42);
  const bytes = Uint8Array.from(
    { length: MIB },
    (_, index) => index & 256 ? random() * 256 : 97 + random() * 4,
  );
  await Deno.writeFile(path, bytes);
  return path;
}

/** What qemu-io has to do to fill an image. */
function fillingCommands(recipe: ImageRecipe, pattern: string): string[] {
  const random = randomNumbers(recipe.seed);
  switch (recipe.filling) {
    case "empty":
      return [];
    case "plain":
      return writes(recipe, pattern, random, ["data", "data", "byte"]);
    case "preallocated":
      return writes(recipe, pattern, random, ["data", "zero", "discard"]);
    case "compressed":
      return compressedWrites(recipe, pattern, random);
    case "mixed":
      return compressedWrites(recipe, pattern, random)
        .concat(writes(recipe, pattern, random, ["data", "byte", "zero", "unmap", "discard"]));
  }
}

type Action = "data" | "byte" | "zero" | "unmap" | "discard";

const ACTIONS: Readonly<Record<Action, (pattern: string, byte: number) => string>> = {
  data: (pattern) => `write -s ${pattern}`,
  byte: (_, byte) => `write -P ${byte}`,
  zero: () => "write -z",
  unmap: () => "write -z -u",
  discard: () => "discard",
};

const WRITES = 24;

/** Writes to random ranges of whole sectors. */
function writes(
  { sizeBytes, clusterBytes }: ImageRecipe,
  pattern: string,
  random: () => number,
  actions: readonly Action[],
): string[] {
  const sectors = sizeBytes / 512;
  const longest = Math.max(8, 4 * clusterBytes / 512);
  return Array.from({ length: WRITES }, (_, index) => {
    const start = Math.floor(random() * sectors);
    const count = 1 + Math.floor(random() * Math.min(longest, sectors - start));
    const action = actions[index % actions.length] ?? "data";
    const command = ACTIONS[action](pattern, 1 + Math.floor(random() * 255));
    return `${command} ${start * 512} ${Math.min(count, sectors - start) * 512}`;
  });
}

/** Compressed writes of whole clusters, each of which qemu lets be written only once. */
function compressedWrites(
  { sizeBytes, clusterBytes }: ImageRecipe,
  pattern: string,
  random: () => number,
): string[] {
  const clusters = Math.ceil(sizeBytes / clusterBytes);
  const commands: string[] = [];
  const step = Math.max(1, Math.floor(clusters / WRITES));
  for (let cluster = 0; cluster < clusters; cluster += step) {
    const count = Math.min(1 + Math.floor(random() * Math.min(step, 16)), clusters - cluster);
    const start = cluster * clusterBytes;
    const lengthBytes = Math.min(count * clusterBytes, sizeBytes - start);
    if (random() < 0.2) continue;
    commands.push(`write -c -s ${pattern} ${start} ${lengthBytes}`);
  }
  return commands;
}

/** Pseudo-random numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
