// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { MAX_BLOCK_BYTES } from "../../../src/format/cloop/layout.ts";
import { cloop } from "../../../src/format/cloop/mod.ts";
import { ImageFormatError } from "../../../src/image/errors.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { TempDirectory } from "../../support/tools.ts";
import { OpenedImage } from "../opened_image.ts";
import { BLOCK, BLOCKS, buildCloop, type CloopParts } from "./image_builder.ts";

function written(folder: TempDirectory, bytes: Uint8Array): string {
  const path = folder.file("disk.cloop");
  Deno.writeFileSync(path, bytes);
  return path;
}

function opened(folder: TempDirectory, parts: CloopParts): OpenedImage {
  return new OpenedImage(written(folder, buildCloop(parts)), cloop);
}

Deno.test("cloop reads block by block", () => {
  using folder = new TempDirectory();
  using image = opened(folder, {});
  assertEquals(image.image.sizeBytes, BLOCKS * BLOCK);
  assertEquals(image.read(2 * BLOCK - 1, 2), Uint8Array.of(2, 3));
  const runs = [...image.extents(100, BLOCK)].map(({ mapping }) => [
    mapping.kind,
    mapping.pieceStart,
    mapping.lengthBytes,
  ]);
  assertEquals(runs, [[Extent.Packed, 0, BLOCK - 100], [Extent.Packed, BLOCK, 100]]);
});

/** What only shows when a block is read: which one, and what is wrong with it. */
const DAMAGED_BLOCKS: readonly [message: string, parts: CloopParts, block: number][] = [
  ["cannot be decompressed", { blocks: new Map([[1, new Uint8Array(BLOCK - 1)]]) }, 1],
  ["cannot be decompressed", { blocks: new Map([[1, new Uint8Array(BLOCK + 1)]]) }, 1],
  ["block 1 cannot be from", { offsets: new Map([[2, 1n]]) }, 1],
  ["block 0 cannot be from", { offsets: new Map([[1, 20000n]]) }, 0],
  ["block 0 cannot be from", { offsets: new Map([[1, 2n ** 64n - 1n]]) }, 0],
  ["block 3 is not in the file", { offsets: new Map([[4, 2000n]]) }, 3],
];

for (const [message, parts, block] of DAMAGED_BLOCKS) {
  Deno.test(`cloop throws at a damaged block: ${message} (${Object.keys(parts)})`, () => {
    using folder = new TempDirectory();
    using image = opened(folder, parts);
    assertThrows(() => image.read(block * BLOCK, 1), ImageFormatError, message);
  });
}

const DAMAGED: readonly [message: string, header: NonNullable<CloopParts["header"]>][] = [
  ["this is no CLOOP image", { preamble: new Uint8Array(128) }],
  ["blocks of 0 bytes", { block_size: 0 }],
  ["blocks of 513 bytes", { block_size: 513 }],
  ["blocks of 67109376 bytes", { block_size: MAX_BLOCK_BYTES + 512 }],
  ["4294967295 blocks are too many", { num_blocks: 2 ** 32 - 1 }],
  ["the table of blocks is not in the file", { num_blocks: 1000 }],
];

for (const [message, header] of DAMAGED) {
  Deno.test(`cloop refuses damage: ${message}`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, { header }), ImageFormatError, message);
  });
}

Deno.test("cloop refuses files too short for a header", () => {
  using folder = new TempDirectory();
  const path = written(folder, new Uint8Array(135));
  assertThrows(() => new OpenedImage(path, cloop), ImageFormatError, "too short");
});
