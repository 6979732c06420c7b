/**
 * What is measured: one row per access pattern.
 *
 * @module
 */
import type { ImageName } from "./image_recipes.ts";

/** One access pattern, in fio's terms. */
export interface Job {
  readonly name: string;
  /** fio's `--rw`. */
  readonly pattern: "read" | "randread" | "write" | "randwrite" | "randtrim";
  readonly blockBytes: number;
  /** Each part of this size is written to once, at its start (first_writes.ts). */
  readonly alignBytes?: number;
  /** A flush comes after so many of these. */
  readonly flushEvery?: number;
  /** Whether each run has an image of its own, that nothing was written to, and ends when all of it is. */
  readonly isFresh?: true;
  /** Requests each client keeps in flight. */
  readonly depth: number;
  /** Clients, each with a connection of its own. */
  readonly clients: number;
  /** Whether the image is in the page cache, or has been driven out of it right before. */
  readonly cache: "hot" | "cold";
  /** What it is run on. */
  readonly images: readonly ImageName[];
}

type Shape = Omit<Job, "clients" | "cache" | "images">;

const READ_SHAPES: readonly Shape[] = [
  { name: "seq-512-qd1", pattern: "read", blockBytes: 512, depth: 1 },
  { name: "seq-4k-qd1", pattern: "read", blockBytes: 4096, depth: 1 },
  { name: "rand-512-qd1", pattern: "randread", blockBytes: 512, depth: 1 },
  { name: "rand-4k-qd1", pattern: "randread", blockBytes: 4096, depth: 1 },
  { name: "rand-4k-qd32", pattern: "randread", blockBytes: 4096, depth: 32 },
  { name: "seq-128k-qd8", pattern: "read", blockBytes: 128 * 1024, depth: 8 },
  { name: "seq-1m-qd4", pattern: "read", blockBytes: 1024 * 1024, depth: 4 },
];

const WRITE_SHAPES: readonly Shape[] = [
  { name: "write-rand-4k-qd1", pattern: "randwrite", blockBytes: 4096, depth: 1 },
  { name: "write-rand-4k-qd32", pattern: "randwrite", blockBytes: 4096, depth: 32 },
  { name: "write-seq-1m-qd4", pattern: "write", blockBytes: 1024 * 1024, depth: 4 },
];

/** Writes to a cluster each, of which each is the first. */
const FIRST: Pick<Shape, "pattern" | "blockBytes" | "alignBytes" | "isFresh"> = {
  pattern: "randwrite",
  blockBytes: 4096,
  alignBytes: 64 * 1024,
  isFresh: true,
};
const FIRST_SHAPES: readonly Shape[] = [
  { ...FIRST, name: "first-rand-4k-qd1", depth: 1 },
  { ...FIRST, name: "first-rand-4k-qd32", depth: 32 },
];
const FIRST_IMAGES: readonly ImageName[] = ["w-empty", "w-overlay", "w-zlib", "w-snapshot"];
const EMPTY_SHAPES: readonly Shape[] = [
  {
    name: "first-seq-1m-qd4",
    pattern: "write",
    blockBytes: 1024 * 1024,
    depth: 4,
    isFresh: true,
  },
  ...[1, 8, 32].map((flushEvery) => ({
    ...FIRST,
    name: `first-rand-4k-flush${flushEvery}`,
    depth: 1,
    flushEvery,
  })),
];
const TRIM: Shape = {
  name: "trim-64k-qd1",
  pattern: "randtrim",
  blockBytes: 64 * 1024,
  depth: 1,
  isFresh: true,
};

const READ_IMAGES: readonly ImageName[] = ["qcow2", "zlib", "zstd", "sparse", "chain"];
/** What shows a difference between one client and four, and between a hot and a cold cache. */
const TELLING_SHAPES = ["rand-4k-qd1", "rand-4k-qd32", "seq-128k-qd8"];
const TELLING_IMAGES: readonly ImageName[] = ["qcow2", "zlib"];

/** Other formats by what shows how much a table, or a stream, is worth. */
const OTHER_IMAGES: readonly ImageName[] = ["vdi", "vhd", "vhdx", "vmdk", "vmdk-stream"];
const OTHER_SHAPES = ["rand-4k-qd1", "rand-4k-qd32", "seq-128k-qd8", "seq-1m-qd4"];

const TELLING = READ_SHAPES.filter(({ name }) => TELLING_SHAPES.includes(name));

/** Every access pattern, on every image it is meant for. */
export const JOBS: readonly Job[] = [
  ...READ_SHAPES.map((shape) =>
    hot(shape, OTHER_SHAPES.includes(shape.name) ? [...READ_IMAGES, ...OTHER_IMAGES] : READ_IMAGES)
  ),
  ...TELLING.map((shape) => ({
    ...hot(shape, TELLING_IMAGES),
    name: `${shape.name}-4c`,
    clients: 4,
  })),
  ...TELLING.map((shape): Job => ({
    ...hot(shape, TELLING_IMAGES),
    name: `${shape.name}-cold`,
    cache: "cold",
  })),
  ...WRITE_SHAPES.map((shape) => hot(shape, ["raw", "w-full"])),
  ...FIRST_SHAPES.map((shape) => hot(shape, FIRST_IMAGES)),
  ...EMPTY_SHAPES.map((shape) => hot(shape, ["w-empty"])),
  hot(TRIM, ["w-full"]),
];

/** What kernel block devices are measured by: three patterns, on uncompressed images. */
export const DEVICE_JOBS: readonly Job[] = TELLING.map((shape) => hot(shape, ["qcow2"]));

/** What views are measured by: large reads and images with others below them, too. */
export const VIEW_JOBS: readonly Job[] = READ_SHAPES
  .filter(({ name }) => TELLING_SHAPES.includes(name) || name === "seq-1m-qd4")
  .map((shape) => hot(shape, ["qcow2", "chain"]));

/** What overlays are measured by: what is written over an image, and what is read through it. */
export const OVERLAY_JOBS: readonly Job[] = [
  ...WRITE_SHAPES
    .filter(({ blockBytes }) => blockBytes === 4096)
    .map((shape): Job => ({ ...hot(shape, TELLING_IMAGES), isFresh: true })),
  ...TELLING.map((shape) => hot(shape, TELLING_IMAGES)),
];

/** One client, and everything in the page cache. */
function hot(shape: Shape, images: readonly ImageName[]): Job {
  return { ...shape, clients: 1, cache: "hot", images };
}
