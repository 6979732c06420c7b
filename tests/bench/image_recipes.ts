/**
 * How the images are made that servers serve.
 *
 * @module
 */
import { must } from "../support/tools.ts";

export type ImageName =
  | "raw"
  | "qcow2"
  | "zlib"
  | "zstd"
  | "sparse"
  | "chain"
  | OtherName
  | WrittenName;

/** Images of other formats: uncompressed, and VMware's compressed stream. */
export type OtherName = "vdi" | "vhd" | "vhdx" | "vmdk" | "vmdk-stream";

/** QCOW2 images to write to: nothing in them, all of a disk, that below them, compressed, in a snapshot. */
export type WrittenName = "w-empty" | "w-full" | "w-overlay" | "w-zlib" | "w-snapshot";

/** How an image is made from the raw one. */
export interface Recipe {
  readonly name: ImageName;
  /** Qemu's name of its format, where that is not qcow2. */
  readonly format?: string;
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
  readonly isWritten?: true;
}

export interface Source {
  readonly rawPath: string;
  readonly sizeBytes: number;
}

const MIB = 1024 * 1024;
/** One in so many stretches of this size is written in a sparse image, and in each overlay. */
const STRETCH_BYTES = 4 * MIB;
const STRETCHES_APART = 8;

export const RECIPES: readonly Recipe[] = [
  { name: "qcow2", make: (path, { rawPath }) => convert([], rawPath, path) },
  { name: "zlib", make: (path, { rawPath }) => convert(["-c"], rawPath, path) },
  {
    name: "zstd",
    make: (path, { rawPath }) => convert(["-c", "-o", "compression_type=zstd"], rawPath, path),
  },
  other("vdi", "vdi"),
  other("vhd", "vpc", "-o", "force_size=on"),
  other("vhdx", "vhdx"),
  other("vmdk", "vmdk"),
  other("vmdk-stream", "vmdk", "-o", "subformat=streamOptimized"),
  { name: "sparse", make: makeSparse, raw: (path) => `${path}.raw` },
  { name: "chain", make: makeChain, below: layers, raw: (path) => `${path}.raw` },
  written(
    "w-empty",
    (path, { sizeBytes }) => create(path, String(sizeBytes)),
    (path) => `${path}.raw`,
  ),
  written("w-full", (path, { rawPath }) => convert(["-S", "0"], rawPath, path)),
  written("w-overlay", (path, { rawPath }) => create("-b", rawPath, "-F", "raw", path)),
  written("w-zlib", (path, { rawPath }) => convert(["-c"], rawPath, path)),
  written("w-snapshot", makeSnapshot),
];

function other(name: OtherName, format: string, ...how: string[]): Recipe {
  const make: Recipe["make"] = (path, { rawPath }) =>
    must("qemu-img", "convert", "-O", format, ...how, rawPath, path);
  return { name, format, make };
}

function written(name: WrittenName, make: Recipe["make"], raw?: Recipe["raw"]): Recipe {
  return { name, make, ...(raw === undefined ? {} : { raw }), isWritten: true };
}

async function create(...words: string[]): Promise<void> {
  await must("qemu-img", "create", "-q", "-f", "qcow2", ...words);
}

async function makeSnapshot(path: string, { rawPath }: Source): Promise<void> {
  await convert(["-S", "0"], rawPath, path);
  await must("qemu-img", "snapshot", "-q", "-c", "before", path);
}

async function convert(how: readonly string[], from: string, to: string): Promise<void> {
  await must("qemu-img", "convert", "-O", "qcow2", ...how, from, to);
}

/** An eighth of the disk, in stretches; the rest was never written. */
async function makeSparse(path: string, { sizeBytes }: Source): Promise<void> {
  await create(path, String(sizeBytes));
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
  await create("-b", backing, "-F", "qcow2", path);
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
