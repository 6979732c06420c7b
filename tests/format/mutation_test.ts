// @ts-types="../support/std_assert.d.ts"
import { assert } from "@std/assert";
import { deflateRawSync } from "node:zlib";
import {
  EXTENSION,
  ExtensionType,
  HEADER,
  HEADER_V3,
  HEADER_V3_BYTES,
} from "../../src/format/qcow/layout.ts";
import { qcow } from "../../src/format/qcow/mod.ts";
import { ImageFormatError, SecretError, UnsupportedFeatureError } from "../../src/image/errors.ts";
import { SystemError } from "../../src/sys/errno.ts";
import { randomNumbers } from "../support/images.ts";
import { TempDirectory } from "../support/tools.ts";
import { OpenedImage } from "./opened_image.ts";
import { buildImage, featureNames } from "./qcow/image_builder.ts";

const MUTATIONS = 12_000;
const SLOWEST_MILLISECONDS = 1000;
const LARGEST_GROWTH_BYTES = 256 * 1024 * 1024;
const READ_BYTES = 32768;

type Random = () => number;
type Bytes = Uint8Array<ArrayBuffer>;

/** A change to an image; returns the image, cut off or not. */
type Mutation = (bytes: Bytes, random: Random) => Bytes;

const NASTY: readonly bigint[] = [
  0n,
  1n,
  2n,
  3n,
  7n,
  8n,
  9n,
  21n,
  22n,
  31n,
  32n,
  63n,
  64n,
  104n,
  105n,
  511n,
  512n,
  513n,
  4096n,
  0xffffn,
  0x10000n,
  0x7fffffffn,
  0x80000000n,
  0xfffffe00n,
  0xffffffffn,
  1n << 32n,
  1n << 40n,
  (1n << 53n) - 512n,
  1n << 53n,
  (1n << 53n) + 512n,
  1n << 55n,
  1n << 56n,
  1n << 61n,
  1n << 62n,
  1n << 63n,
  (1n << 63n) - 1n,
  (1n << 64n) - 512n,
  (1n << 64n) - 1n,
];

const MUTATIONS_OF_ALL: readonly Mutation[] = [
  headerField,
  headerField,
  headerByte,
  tableEntry,
  tableEntry,
  tableBit,
  tableBit,
  anyByte,
  extensionLength,
  truncation,
];

Deno.test("qcow survives damaged images", () => {
  using folder = new TempDirectory();
  const path = folder.file("damaged.qcow2");
  const originals = originalImages();
  const random = randomNumbers(20_190_101);
  const before = Deno.memoryUsage();
  for (let i = 0; i < MUTATIONS; i++) {
    let bytes = pick(originals, random).slice();
    for (let count = 1 + Math.floor(random() * 3); count > 0; count--) {
      bytes = pick(MUTATIONS_OF_ALL, random)(bytes, random);
    }
    const start = performance.now();
    openAndRead(path, bytes, random);
    assert(performance.now() - start < SLOWEST_MILLISECONDS, `mutation ${i} is too slow`);
  }
  const growth = Deno.memoryUsage().rss - before.rss;
  assert(growth < LARGEST_GROWTH_BYTES, `${growth} bytes more memory`);
});

Deno.test("qcow allocates little for a header that asks for much", () => {
  using folder = new TempDirectory();
  const path = folder.file("greedy.qcow2");
  const before = Deno.memoryUsage().external;
  // the largest L1 table there can be, in a file that has it, for a disk as large as it allows
  const header = { size: 2n ** 37n, l1_size: 4 * 1024 * 1024 };
  const bytes = buildImage({ clusterBits: 9, header, l1: [] });
  Deno.writeFileSync(path, bytes);
  Deno.truncateSync(path, 33 * 1024 * 1024);
  using opened = new OpenedImage(path, qcow);
  opened.read(2 ** 37 - 512, 512);
  const growth = Deno.memoryUsage().external - before;
  // L1 table 32 MiB, slices 16 MiB, decompressed clusters 8 MiB with their keys
  assert(growth < 64 * 1024 * 1024, `${growth} bytes`);
});

/** Only the errors a damaged image may cause are caught. */
function openAndRead(path: string, bytes: Bytes, random: Random): void {
  Deno.writeFileSync(path, bytes);
  try {
    using opened = new OpenedImage(path, qcow);
    const { sizeBytes } = opened.image;
    readOne(opened, 0);
    readOne(opened, sizeBytes - READ_BYTES);
    for (let i = 0; i < 4; i++) readOne(opened, Math.floor(random() * sizeBytes));
  } catch (error) {
    if (!isExpected(error)) throw error;
  }
}

function readOne(opened: OpenedImage, offset: number): void {
  const start = Math.max(0, offset);
  const lengthBytes = Math.min(READ_BYTES, opened.image.sizeBytes - start);
  try {
    opened.read(start, lengthBytes);
  } catch (error) {
    if (!isExpected(error)) throw error;
  }
}

function isExpected(error: unknown): boolean {
  return error instanceof ImageFormatError || error instanceof UnsupportedFeatureError ||
    error instanceof SystemError || error instanceof SecretError;
}

/** Small valid images with every kind of cluster. */
function originalImages(): Bytes[] {
  const images: Bytes[] = [];
  for (const clusterBits of [9, 12, 14]) {
    for (const version of [2, 3]) images.push(originalImage(clusterBits, version));
  }
  return images;
}

function originalImage(clusterBits: number, version: number): Bytes {
  const host = (cluster: number): bigint => BigInt(cluster * 2 ** clusterBits);
  const content = new Uint8Array(2 ** clusterBits).fill(65, 100);
  const compressed = (1n << 62n) | (host(5) + 13n);
  const l2 = [host(3), host(4), 0n, version === 3 ? 1n : 0n, compressed, host(6), host(100)];
  const extensions = [
    { type: 0x11223344, data: new Uint8Array(12) },
    { type: ExtensionType.featureNameTable, data: featureNames([{ type: 0, bit: 7, name: "x" }]) },
  ];
  const bytes = buildImage({ clusterBits, header: { version }, l2, extensions, fileClusters: 7 });
  bytes.set(deflateRawSync(content), 5 * 2 ** clusterBits + 13);
  return bytes;
}

function headerField(bytes: Bytes, random: Random): Bytes {
  const view = new DataView(bytes.buffer);
  const layout = pick([HEADER, HEADER, HEADER_V3], random);
  const start = layout === HEADER ? 0 : HEADER.sizeBytes;
  const [name, offset] = pick(Object.entries(layout.offsets), random);
  const type = Object.entries(layout.types).find(([field]) => field === name)?.[1];
  if (start + offset + 8 > bytes.length) return bytes;
  if (type === "u64") view.setBigUint64(start + offset, pick(NASTY, random));
  else view.setUint32(start + offset, Number(pick(NASTY, random) & 0xffffffffn));
  return bytes;
}

function headerByte(bytes: Bytes, random: Random): Bytes {
  return setByte(bytes, Math.floor(random() * (HEADER_V3_BYTES + 8)), random);
}

function anyByte(bytes: Bytes, random: Random): Bytes {
  return setByte(bytes, Math.floor(random() * bytes.length), random);
}

function setByte(bytes: Bytes, at: number, random: Random): Bytes {
  if (at < bytes.length) bytes[at] = random() * 256;
  return bytes;
}

/** The first entries of the L1 or of the L2 table: the clusters after the header. */
function tableEntryOffset(bytes: Bytes, random: Random): number {
  const clusterBytes = 2 ** Math.min(16, bytes[23] ?? 0);
  return (random() < 0.3 ? 1 : 2) * clusterBytes + Math.floor(random() * 8) * 8;
}

function tableEntry(bytes: Bytes, random: Random): Bytes {
  const at = tableEntryOffset(bytes, random);
  if (at + 8 > bytes.length) return bytes;
  const entry = pick(NASTY, random) | (random() < 0.5 ? 0n : pick(NASTY, random));
  new DataView(bytes.buffer).setBigUint64(at, entry);
  return bytes;
}

function tableBit(bytes: Bytes, random: Random): Bytes {
  const at = tableEntryOffset(bytes, random);
  if (at + 8 > bytes.length) return bytes;
  const view = new DataView(bytes.buffer);
  const bit = 1n << BigInt(Math.floor(random() * 64));
  view.setBigUint64(at, view.getBigUint64(at) ^ bit);
  return bytes;
}

function extensionLength(bytes: Bytes, random: Random): Bytes {
  const at = (bytes[7] === 2 ? HEADER.sizeBytes : HEADER_V3_BYTES) + EXTENSION.offsets.length;
  if (at + 4 > bytes.length) return bytes;
  new DataView(bytes.buffer).setUint32(at, Number(pick(NASTY, random) & 0xffffffffn));
  return bytes;
}

function truncation(bytes: Bytes, random: Random): Bytes {
  const lengthBytes = Math.floor((random() < 0.5 ? random() : random() ** 8) * bytes.length);
  return bytes.slice(0, lengthBytes);
}

function pick<T>(choices: readonly T[], random: Random): T {
  const choice = choices[Math.floor(random() * choices.length)];
  if (choice === undefined) throw new Error("nothing to choose from");
  return choice;
}
