// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { NODE, NODE_BYTES } from "../../../src/format/sparseimage/layout.ts";
import { sparseimage } from "../../../src/format/sparseimage/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { TempDirectory } from "../../support/tools.ts";
import { OpenedImage, openImageFile } from "../opened_image.ts";
import {
  BAND,
  BANDS,
  buildSparseimage,
  nodeOffset,
  type SparseimageParts,
} from "./image_builder.ts";

function written(folder: TempDirectory, bytes: Uint8Array): string {
  const path = folder.file("disk.sparseimage");
  Deno.writeFileSync(path, bytes);
  return path;
}

function opened(folder: TempDirectory, parts: SparseimageParts): OpenedImage {
  return new OpenedImage(written(folder, buildSparseimage(parts)), sparseimage);
}

const { Data, Zero } = Extent;

Deno.test("sparseimage reads bands in any order, and joins those not stored", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { nodes: [[5, 0, undefined, 2]] });
  const { sizeBytes } = image.image;
  assertEquals(sizeBytes, BANDS * BAND);
  const runs = [...image.extents(0, sizeBytes)].map(({ mapping }) => [
    mapping.kind,
    mapping.kind === Data ? mapping.hostOffset : 0,
    mapping.lengthBytes,
  ]);
  assertEquals(runs, [
    [Data, NODE_BYTES + BAND, BAND],
    [Zero, 0, BAND],
    [Data, NODE_BYTES + 3 * BAND, BAND],
    [Zero, 0, 2 * BAND],
    [Data, NODE_BYTES, BAND],
    [Zero, 0, (BANDS - 6) * BAND],
  ]);
  assertEquals(image.read(BAND - 1, 2), Uint8Array.of(2, 0));
  assertEquals(image.read(6 * BAND - 1, 2), Uint8Array.of(1, 0));
});

Deno.test("sparseimage finds bands by all nodes", () => {
  using folder = new TempDirectory();
  const full = Array.from({ length: 1008 }, (_, slot) => slot + 1);
  const second = Array.from({ length: 1010 }, (_, slot) => BANDS - 1 - slot);
  using image = opened(folder, { nodes: [full, second, [0, undefined, 1010]] });
  const bytesOf = (band: number): number => image.read(band * BAND, 1)[0] ?? -1;
  assertEquals(bytesOf(1), 1);
  assertEquals(bytesOf(1008), 1008 % 251);
  assertEquals(bytesOf(BANDS - 1), 1009 % 251);
  assertEquals(bytesOf(BANDS - 1010), 2018 % 251);
  assertEquals([bytesOf(0), bytesOf(1009), bytesOf(1010)], [2019 % 251, 0, 2021 % 251]);
  const [first] = image.extents(1010 * BAND, 1);
  assertEquals(first?.mapping.hostOffset, nodeOffset(2) + NODE_BYTES + 2 * BAND);
});

Deno.test("sparseimage shows a last band that is not whole, and one whose end the file lacks", () => {
  using folder = new TempDirectory();
  const parts = { nodes: [[BANDS - 1]], missingSectors: 1 };
  using image = opened(folder, parts);
  assertEquals(image.image.sizeBytes, (BANDS - 1) * BAND + 512);
  assertEquals(image.read(image.image.sizeBytes - 1, 1), Uint8Array.of(1));
  const cut = buildSparseimage(parts).subarray(0, NODE_BYTES + 512);
  using short = new OpenedImage(written(folder, cut), sparseimage);
  assertEquals(short.read((BANDS - 1) * BAND, 512), new Uint8Array(512).fill(1));
});

Deno.test("sparseimage throws at a band that is not in the file", () => {
  using folder = new TempDirectory();
  const cut = buildSparseimage({ nodes: [[3, 4]] }).subarray(0, NODE_BYTES + BAND);
  using image = new OpenedImage(written(folder, cut), sparseimage);
  assertEquals(image.read(3 * BAND, 1), Uint8Array.of(1));
  assertThrows(() => image.read(4 * BAND, 1), ImageFormatError, "is not in the file");
});

Deno.test("sparseimage tells the size of disk and bands", () => {
  using folder = new TempDirectory();
  using file = openImageFile(written(folder, buildSparseimage({ missingSectors: 1 })));
  assertEquals(sparseimage.info?.(file), {
    format: "sparseimage",
    sizeBytes: BANDS * BAND - 512,
    clusterBytes: BAND,
  });
});

const DAMAGED: readonly [message: string, parts: SparseimageParts][] = [
  ["this is no sparse image", { header: { magic: 0x73707274 } }],
  ["bands of 0 sectors are not possible", { header: { bandSectors: 0 } }],
  ["bands of 4294967295 sectors are not possible", { header: { bandSectors: 2 ** 32 - 1 } }],
  ["bands is too large", { header: { sectors: 2n ** 43n } }],
  ["the disk has no band 3000", { nodes: [[BANDS]] }],
  ["band 7 is stored twice", { nodes: [[7, 1, 7]] }],
  ["band 7 is stored twice", { nodes: [[7], [1, 7]] }],
  ["no node can be at 0x1", { header: { nextNode: 1n } }],
  ["no node can be at 0xffffffffffffffff", { header: { nextNode: 2n ** 64n - 1n } }],
  ["a node has no mark", { header: { nextNode: BigInt(NODE_BYTES) }, nodes: [[1, 2, 3, 4]] }],
];

for (const [message, parts] of DAMAGED) {
  Deno.test(`sparseimage refuses damage: ${message} (${JSON.stringify(Object.keys(parts))})`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, parts), ImageFormatError, message);
  });
}

Deno.test("sparseimage refuses nodes that lead back", () => {
  using folder = new TempDirectory();
  const bytes = buildSparseimage({ nodes: [[1], [2], [3]] });
  const at = nodeOffset(2) + NODE.offsets.nextNode;
  new DataView(bytes.buffer).setBigUint64(at, BigInt(nodeOffset(1)));
  const open = (): unknown => new OpenedImage(written(folder, bytes), sparseimage);
  assertThrows(open, ImageFormatError, "no node can be at");
});

Deno.test("sparseimage refuses other versions by name, and files too short for a header", () => {
  using folder = new TempDirectory();
  const parts = { header: { version: 4 } };
  assertThrows(() => opened(folder, parts), UnsupportedFeatureError, "version 4");
  const path = written(folder, buildSparseimage().subarray(0, NODE_BYTES - 1));
  assertThrows(() => new OpenedImage(path, sparseimage), ImageFormatError, "too short");
});
