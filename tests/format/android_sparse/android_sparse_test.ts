// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ChunkType, MAX_CHUNKS } from "../../../src/format/android_sparse/layout.ts";
import { androidSparse } from "../../../src/format/android_sparse/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { OpenedImage, readRange, sameBytes } from "../opened_image.ts";
import { BLOCK, buildSparse, fillChunk, rawChunk, type SparseParts } from "./image_builder.ts";

function written(folder: TempDirectory, bytes: Uint8Array): string {
  const path = folder.file("disk.simg");
  Deno.writeFileSync(path, bytes);
  return path;
}

function opened(folder: TempDirectory, parts: SparseParts): OpenedImage {
  return new OpenedImage(written(folder, buildSparse(parts)), androidSparse);
}

const { Data, Packed, Zero, Backing } = Extent;

Deno.test("androidSparse maps chunks of every kind", () => {
  using folder = new TempDirectory();
  using image = opened(folder, {});
  const runs = [...image.extents(0, image.image.sizeBytes)].map(({ mapping }) => [
    mapping.kind,
    mapping.lengthBytes,
  ]);
  assertEquals(runs, [
    [Data, 2 * BLOCK],
    [Backing, 3 * BLOCK],
    [Packed, BLOCK],
    [Packed, BLOCK],
    [Zero, 4 * BLOCK],
    [Data, BLOCK],
  ]);
  assertEquals(image.read(6 * BLOCK - 2, 4), Uint8Array.of(3, 4, 1, 2));
  assertEquals(image.read(12 * BLOCK - 1, 1), Uint8Array.of(0x22));
});

Deno.test("androidSparse takes headers that are longer than what is known of them", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { header: { file_hdr_sz: 40, chunk_hdr_sz: 16 } });
  assertEquals(image.read(11 * BLOCK - 1, 2), Uint8Array.of(0, 0x22));
});

Deno.test("androidSparse finds thousands of chunks", () => {
  using folder = new TempDirectory();
  const chunks = Array.from({ length: 5000 }, (_, n) => fillChunk(1, n & 255, 1, n >> 8, 1));
  using image = opened(folder, { chunks: [...chunks, rawChunk(40, 7), ...chunks] });
  for (const n of [0, 1, 4999]) {
    assertEquals(image.read(n * BLOCK + 4, 4), Uint8Array.of(n & 255, 1, n >> 8, 1));
  }
  assertEquals(image.read(5039 * BLOCK, 1), Uint8Array.of(7));
  assertEquals(image.read(10039 * BLOCK, 3), Uint8Array.of(4999 & 255, 1, 4999 >> 8));
});

const DAMAGED: readonly [message: string, parts: SparseParts][] = [
  ["this is no sparse image", { header: { magic: Uint8Array.of(0, 0, 0, 0) } }],
  ["headers of 27 and 12 bytes", { header: { file_hdr_sz: 27 } }],
  ["headers of 28 and 11 bytes", { header: { chunk_hdr_sz: 11 } }],
  ["blocks of 0 bytes", { header: { blk_sz: 0 } }],
  ["blocks of 1022 bytes", { header: { blk_sz: 1022 } }],
  ["blocks of 4294967292 bytes", { header: { blk_sz: 2 ** 32 - 4 } }],
  ["4194305 chunks are too many", { header: { total_chunks: MAX_CHUNKS + 1 } }],
  ["it has no room for 4194304 chunks", { header: { total_chunks: MAX_CHUNKS } }],
  ["chunk 7 of 7 is not in the file, which was cut off", { header: { total_chunks: 7 } }],
  ["the chunks have 12 blocks, not 13", { header: { total_blks: 13 } }],
  ["the chunks have 12 blocks, not 0", { header: { total_blks: 0 } }],
  ["chunk 1 of 1 is of the unknown type 0xcac5", { chunks: [{ type: 0xcac5, blocks: 1 }] }],
  ["chunk 1 of 1 cannot have 13 bytes", { chunks: [{ ...rawChunk(1, 1), total: 13 }] }],
];

for (const [message, parts] of DAMAGED) {
  Deno.test(`androidSparse refuses damage: ${message}`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, parts), ImageFormatError, message);
  });
}

Deno.test("androidSparse refuses an image that was cut off anywhere", () => {
  using folder = new TempDirectory();
  const bytes = buildSparse();
  for (const lengthBytes of [27, 30, 50, 3000, bytes.length - 1]) {
    const path = written(folder, bytes.subarray(0, lengthBytes));
    assertThrows(() => new OpenedImage(path, androidSparse), ImageFormatError);
  }
});

Deno.test("androidSparse refuses other versions by name, but for minor ones", () => {
  using folder = new TempDirectory();
  const wrong = { header: { major_version: 2 } };
  assertThrows(() => opened(folder, wrong), UnsupportedFeatureError, "with version 2.0 are");
  using image = opened(folder, { header: { minor_version: 9 } });
  assertEquals(image.read(0, 1), Uint8Array.of(0x11));
});

oracleTest("androidSparse and simg2img agree on images built here", ["simg2img"], async () => {
  using folder = new TempDirectory();
  const chunks = [
    rawChunk(4, 9),
    fillChunk(8, 1, 2, 3, 4),
    { type: ChunkType.dontCare, blocks: 4 },
    fillChunk(4, 0, 0, 0, 0),
    rawChunk(4, 8),
  ];
  const path = written(folder, buildSparse({ chunks }));
  const raw = folder.file("disk.raw");
  await must("simg2img", path, raw);
  using image = new OpenedImage(path, androidSparse);
  const { sizeBytes } = image.image;
  assertEquals(sizeBytes, Deno.statSync(raw).size);
  assert(sameBytes(image.read(0, sizeBytes), readRange(raw, 0, sizeBytes)));
});
