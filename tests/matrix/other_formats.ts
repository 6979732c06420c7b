/**
 * The images of other formats than QCOW in the matrix, as data: every variant that qemu can make, of
 * several disks.
 *
 * @module
 */
import { randomNumbers } from "../support/images.ts";
import { must } from "../support/tools.ts";

const MIB = 1024 * 1024;

/** A way in which qemu makes images. */
interface Variant {
  /** As `-t` has it, and as qemu does. */
  readonly format: string;
  readonly driver: string;
  readonly name: string;
  readonly options: string;
  /** Whether qemu takes all of the disk for stored. */
  readonly hasNoMap?: boolean;
}

const VARIANTS: readonly Variant[] = [
  { format: "QED", driver: "qed", name: "usual clusters", options: "cluster_size=64k" },
  { format: "QED", driver: "qed", name: "small tables", options: "cluster_size=4k,table_size=2" },
  { format: "PARALLELS", driver: "parallels", name: "usual clusters", options: "cluster_size=1M" },
  { format: "PARALLELS", driver: "parallels", name: "small clusters", options: "cluster_size=4k" },
  { format: "VDI", driver: "vdi", name: "dynamic", options: "static=off" },
  { format: "VDI", driver: "vdi", name: "fixed", options: "static=on" },
  ...["dynamic", "fixed"].flatMap((subformat) =>
    ["off", "on"].map((forced) => ({
      format: "VHD",
      driver: "vpc",
      name: `${subformat}, force_size=${forced}`,
      options: `subformat=${subformat},force_size=${forced}`,
    }))
  ),
  ...[
    "subformat=dynamic,block_size=1M,block_state_zero=off",
    "subformat=fixed",
  ].map((options) => ({
    format: "VHDX",
    driver: "vhdx",
    name: options,
    options,
    hasNoMap: true,
  })),
  ...[
    "monolithicSparse",
    "monolithicFlat",
    "twoGbMaxExtentSparse",
    "twoGbMaxExtentFlat",
    "streamOptimized",
  ].map((subformat) => ({
    format: "VMDK",
    driver: "vmdk",
    name: subformat,
    options: `subformat=${subformat}`,
  })),
];

/** Sizes in bytes: less than a block, whole blocks, an odd number of sectors, many blocks. */
const SIZES = [512, 2 * MIB, 7 * MIB + 512, 40 * MIB] as const;
const FILLINGS = ["empty", "some", "full"] as const;

/** A disk, and what is on it. */
export interface RawDisk {
  readonly sizeBytes: number;
  readonly filling: typeof FILLINGS[number];
  readonly seed: number;
}

/** An image of another format. */
export interface OtherRecipe extends Variant, RawDisk {}

/** All of them. */
export const OTHER_RECIPES: readonly OtherRecipe[] = VARIANTS.flatMap((variant, kind) =>
  SIZES.flatMap((sizeBytes, size) =>
    FILLINGS.map((filling, index) => ({
      ...variant,
      name: `${variant.format}, ${variant.name}, ${sizeBytes} bytes, ${filling}`,
      sizeBytes,
      filling,
      seed: 100 * kind + 10 * size + index,
    }))
  )
);

/** An image, and the disk that it was made from. */
export interface OtherImage {
  readonly recipe: OtherRecipe;
  readonly path: string;
  readonly rawPath: string;
  /** Of its disk, which some formats make longer than it was. */
  readonly sizeBytes: number;
}

/** Makes the image of a recipe in `folder`. */
export async function makeOtherImage(folder: string, recipe: OtherRecipe): Promise<OtherImage> {
  const { driver, options } = recipe;
  const [rawPath, path] = [`${folder}/disk.raw`, `${folder}/disk.${driver}`];
  await makeRawDisk(rawPath, recipe);
  await must("qemu-img", "convert", "-f", "raw", "-O", driver, "-o", options, rawPath, path);
  const info = JSON.parse(await must("qemu-img", "info", "-f", driver, "--output=json", path));
  return { recipe, path, rawPath, sizeBytes: info["virtual-size"] };
}

/** Makes a raw disk with its content. */
export async function makeRawDisk(path: string, disk: RawDisk): Promise<void> {
  await must("qemu-img", "create", "-q", "-f", "raw", path, `${disk.sizeBytes}`);
  const commands = writes(disk).flatMap((line) => ["-c", line]);
  if (commands.length > 0) await must("qemu-io", "-t", "unsafe", "-f", "raw", ...commands, path);
}

function writes({ filling, sizeBytes, seed }: RawDisk): string[] {
  if (filling === "empty") return [];
  if (filling === "full") return [`write -P ${1 + seed % 255} 0 ${sizeBytes}`];
  const random = randomNumbers(seed);
  const sectors = sizeBytes / 512;
  return Array.from({ length: 10 }, () => {
    const start = Math.floor(random() * sectors);
    const count = Math.min(1 + Math.floor(random() ** 2 * 3000), sectors - start);
    return `write -P ${1 + Math.floor(random() * 255)} ${start * 512} ${count * 512}`;
  });
}
