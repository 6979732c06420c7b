/**
 * The images of formats that qemu does not write in the matrix, as data: made by the formats' own tools,
 * of several disks.
 *
 * @module
 */
import type { Program } from "../support/packages.ts";
import { must } from "../support/tools.ts";
import { makeRawDisk, type RawDisk } from "./other_formats.ts";

const MIB = 1024 * 1024;

/** A way to make images. */
interface Variant {
  /** As `-t` has it. */
  readonly format: string;
  readonly name: string;
  /** What qemu calls the format, where it reads it. */
  readonly qemu?: string;
  readonly tool: Program;
  /** The words that make an image at a path of a raw disk. */
  readonly words: (rawPath: string, path: string) => readonly string[];
  /** Disks are rounded up to so many bytes. */
  readonly unitBytes?: number;
  /** Smaller ones it does not take. */
  readonly leastBytes?: number;
}

const VARIANTS: readonly Variant[] = [
  {
    format: "BOCHS",
    name: "growing",
    qemu: "bochs",
    tool: "bximage",
    words: (rawPath, path) => ["-q", "-func=convert", "-imgmode=growing", rawPath, path],
  },
  ...([[4096, 512], [65536, 2 * MIB]] as const).map(([blockBytes, leastBytes]) => ({
    format: "ANDROID-SPARSE",
    name: `blocks of ${blockBytes} bytes`,
    tool: "img2simg" as const,
    words: (rawPath: string, path: string) => [rawPath, path, `${blockBytes}`],
    unitBytes: blockBytes,
    leastBytes,
  })),
  {
    format: "CLOOP",
    name: "blocks of 64 KiB",
    qemu: "cloop",
    tool: "create_compressed_fs",
    words: (rawPath, path) => ["-q", "-B", "65536", rawPath, path],
    unitBytes: 65536,
    leastBytes: 65536,
  },
];

/** Sizes in bytes: less than a block, whole blocks, an odd number of sectors. */
const SIZES = [512, 2 * MIB, 7 * MIB + 512] as const;
const FILLINGS = ["empty", "some", "full"] as const;

/** An image made by a tool. */
export interface ToolRecipe extends Variant, RawDisk {}

/** All of them. */
export const TOOL_RECIPES: readonly ToolRecipe[] = VARIANTS.flatMap((variant, kind) =>
  SIZES.filter((sizeBytes) => sizeBytes >= (variant.leastBytes ?? 0)).flatMap((sizeBytes, size) =>
    FILLINGS.map((filling, index) => ({
      ...variant,
      name: `${variant.format}, ${variant.name}, ${sizeBytes} bytes, ${filling}`,
      sizeBytes,
      filling,
      seed: 1000 + 100 * kind + 10 * size + index,
    }))
  )
);

/** An image, and the disk that it was made from. */
export interface ToolImage {
  readonly path: string;
  readonly rawPath: string;
  readonly sizeBytes: number;
}

/** Makes the image of a recipe in `folder`. */
export async function makeToolImage(folder: string, recipe: ToolRecipe): Promise<ToolImage> {
  const { tool, words, sizeBytes, unitBytes = 1 } = recipe;
  const [rawPath, path] = [`${folder}/disk.raw`, `${folder}/disk.img`];
  await makeRawDisk(rawPath, recipe);
  await must(tool, ...words(rawPath, path));
  return { path, rawPath, sizeBytes: Math.ceil(sizeBytes / unitBytes) * unitBytes };
}
