// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { deflateRawSync, deflateSync, zstdCompressSync } from "node:zlib";
import { ImageAccess } from "../../src/disk/image_access.ts";
import { PieceMemory } from "../../src/disk/piece_memory.ts";
import { CompressionMethod } from "../../src/image/decoding.ts";
import type { Image } from "../../src/image/driver.ts";
import { ImageFormatError } from "../../src/image/errors.ts";
import type { Mapping } from "../../src/image/mapping.ts";
import type { ImageFile } from "../../src/storage/image_file.ts";
import { openImageFile } from "../format/opened_image.ts";
import { readDisk } from "../support/disk.ts";
import { randomNumbers } from "../support/images.ts";
import { adcOf } from "../support/packers.ts";
import { TempDirectory } from "../support/tools.ts";

const MIB = 1024 * 1024;
const { Deflate, Zstd, Zlib, Adc } = CompressionMethod;

/** A piece as it is stored. */
interface StoredPiece {
  readonly start: number;
  readonly lengthBytes: number;
  readonly leastBytes?: number;
  readonly hostOffset: number;
  readonly hostBytes: number;
  readonly method: CompressionMethod;
}

/** An image of nothing but pieces. */
class PackedImage implements Image {
  readonly sizeBytes: number;
  readonly packing: Image["packing"];
  readonly #file: ImageFile;
  readonly #pieces: readonly StoredPiece[];

  constructor(file: ImageFile, pieces: readonly StoredPiece[]) {
    this.#file = file;
    this.#pieces = pieces;
    this.sizeBytes = pieces.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    const maxPieceBytes = Math.max(...pieces.map(({ lengthBytes }) => lengthBytes));
    this.packing = { maxPieceBytes, methods: pieces.map(({ method }) => method) };
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const piece = this.#pieces.find((one) => guestOffset < one.start + one.lengthBytes);
    if (piece === undefined) throw new Error("asked for what lies outside");
    const rest = piece.start + piece.lengthBytes - guestOffset;
    mapping.setPacked(this.#file, piece.hostOffset, piece.hostBytes);
    mapping.method = piece.method;
    mapping.setPiece(piece.start, piece.lengthBytes, Math.min(rest, lengthBytes));
    if (piece.leastBytes !== undefined) mapping.leastBytes = piece.leastBytes;
  }

  [Symbol.dispose](): void {}
}

const random = randomNumbers(3);
const PACKERS: readonly [CompressionMethod, (bytes: Uint8Array) => Uint8Array][] = [
  [Deflate, (bytes) => deflateRawSync(bytes)],
  [Zlib, (bytes) => deflateSync(bytes)],
  [Adc, adcOf],
  [Zstd, (bytes) => zstdCompressSync(bytes)],
];

/** Pieces of all lengths up to `mostBytes`, noise that is longer when it is packed among them. */
function packed(count: number, mostBytes: number): {
  stored: Uint8Array;
  content: Uint8Array;
  pieces: StoredPiece[];
} {
  const pieces: StoredPiece[] = [];
  const stored: Uint8Array[] = [];
  const content: Uint8Array[] = [];
  let start = 0;
  let hostOffset = 0;
  for (let index = 0; index < count; index++) {
    const lengthBytes = 512 * Math.ceil(random() * mostBytes / 512);
    const isNoise = random() < 0.3;
    const bytes = Uint8Array.from(
      { length: lengthBytes },
      (_, at) => isNoise ? random() * 256 : at >> 7 & 255,
    );
    const [method, pack] = PACKERS[index % PACKERS.length] ?? [Deflate, deflateRawSync];
    const result = pack(bytes);
    pieces.push({ start, lengthBytes, hostOffset, hostBytes: result.length, method });
    stored.push(result);
    content.push(bytes);
    start += lengthBytes;
    hostOffset += result.length;
  }
  return { stored: Buffer.concat(stored), content: Buffer.concat(content), pieces };
}

/** Serves pieces of a file that has been written with `stored`. */
function accessTo(
  folder: TempDirectory,
  stored: Uint8Array,
  pieces: readonly StoredPiece[],
): ImageAccess {
  Deno.writeFileSync(folder.file("packed"), stored);
  const file = openImageFile(folder.file("packed"));
  const limits = { offsetBytes: 0, sizeLimitBytes: 0 };
  return new ImageAccess(new PackedImage(file, pieces), [file], limits);
}

Deno.test("pieces of all lengths and methods are read, in any order", () => {
  using folder = new TempDirectory();
  const { stored, content, pieces } = packed(60, 300_000);
  using access = accessTo(folder, stored, pieces);
  assertEquals(access.sizeBytes, content.length);
  for (let round = 0; round < 200; round++) {
    const offset = Math.floor(random() * content.length);
    const lengthBytes = Math.ceil(random() * Math.min(400_000, content.length - offset));
    const bytes = readDisk(access, offset, lengthBytes);
    const wanted = content.subarray(offset, offset + lengthBytes);
    assertEquals(Buffer.compare(bytes, wanted), 0, `${offset} ${lengthBytes}`);
  }
});

Deno.test("what is missing of a piece that may be short reads as zeros", () => {
  using folder = new TempDirectory();
  const stored = deflateSync(new Uint8Array(1000).fill(7));
  const piece = { start: 0, lengthBytes: 4096, hostOffset: 0, method: Zlib };
  const hostBytes = stored.length;
  using access = accessTo(folder, stored, [{ ...piece, hostBytes, leastBytes: 512 }]);
  const wanted = new Uint8Array(4096).fill(7, 0, 1000);
  assertEquals(Buffer.compare(readDisk(access, 0, 4096), wanted), 0);
  using strict = accessTo(folder, stored, [{ ...piece, hostBytes }]);
  assertThrows(() => readDisk(strict, 0, 4096), ImageFormatError, "cannot be decompressed");
});

Deno.test("PieceMemory has slots for the largest piece, and few where that is large", () => {
  const slotsOf = (maxPieceBytes: number, depth = 0): readonly number[] => {
    const limits = { cacheBytes: 8 * MIB, depth, sizeBytes: 2 ** 40, maxPieceBytes };
    using memory = new PieceMemory(limits);
    const { slots, slotBytes } = memory.reserve(512);
    return [slots, slotBytes];
  };
  assertEquals(slotsOf(MIB), [8, MIB]);
  assertEquals(slotsOf(16 * MIB), [4, 16 * MIB]);
  assertEquals(slotsOf(64 * MIB), [2, 64 * MIB]);
  assertEquals(slotsOf(128 * MIB), [1, 128 * MIB]);
  assertEquals(slotsOf(256 * MIB), [0, 256 * MIB]);
});
