// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Feature, HEADER } from "../../../src/format/qed/layout.ts";
import { qed } from "../../../src/format/qed/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { TempDirectory } from "../../support/tools.ts";
import { OpenedImage, openImageFile } from "../opened_image.ts";
import { buildQed, CLUSTER, DATA, L1, place, type QedParts } from "./image_builder.ts";

function opened(folder: TempDirectory, parts: QedParts): OpenedImage {
  const path = folder.file("disk.qed");
  Deno.writeFileSync(path, buildQed(parts));
  return new OpenedImage(path, qed);
}

function runs(image: OpenedImage): readonly (readonly [number, number])[] {
  return [...image.extents(0, image.image.sizeBytes)].map(({ mapping }) => [
    mapping.kind,
    mapping.lengthBytes / CLUSTER,
  ]);
}

Deno.test("qed joins clusters that are stored behind each other, and those that are not stored", () => {
  using folder = new TempDirectory();
  const l2 = [place(1), place(2), 0n, 0n, 1n, 1n, place(3), place(0)];
  using image = opened(folder, { l2 });
  const { Data, Backing, Zero } = Extent;
  assertEquals(runs(image), [[Data, 2], [Backing, 2], [Zero, 2], [Data, 1], [Data, 1], [
    Backing,
    8,
  ]]);
  assertEquals(image.read(2 * CLUSTER - 1, 2), Uint8Array.of(3, 0));
  assertEquals(image.read(7 * CLUSTER - 1, 2), Uint8Array.of(4, 1));
});

Deno.test("qed has nothing where there is no L2 table", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { l1: [] });
  assertEquals(runs(image), [[Extent.Backing, 16]]);
});

Deno.test("qed throws at an entry that refers to what is no cluster, and reads the rest", () => {
  for (const entry of [512n, 2n, 0x1000n - 512n, place(4), place(1) + 1n, 1n << 63n, 1n << 53n]) {
    using folder = new TempDirectory();
    using image = opened(folder, { l2: [place(1), entry] });
    assertEquals(image.read(CLUSTER - 1, 1), Uint8Array.of(2));
    assertThrows(() => image.read(CLUSTER, 1), ImageFormatError, "refers to what is no cluster");
  }
});

Deno.test("qed ignores a part of a cluster at the end of the file, as qemu does", () => {
  using folder = new TempDirectory();
  const path = folder.file("short.qed");
  Deno.writeFileSync(path, buildQed({ l2: [place(2), place(3)] }));
  Deno.truncateSync(path, DATA + 4 * CLUSTER - 1);
  using image = new OpenedImage(path, qed);
  assertEquals(image.read(0, 1), Uint8Array.of(3));
  assertThrows(() => image.read(CLUSTER, 1), ImageFormatError, "no cluster");
});

for (
  const [message, entry] of [["not aligned", 0x2200n], ["not in the file", 1n << 40n]] as const
) {
  Deno.test(`qed throws at an L2 table that is ${message}, by its own name`, () => {
    using folder = new TempDirectory();
    using image = opened(folder, { l1: [entry] });
    const error = assertThrows(() => image.read(0, 1), ImageFormatError, message);
    assertEquals(error.format, "QED");
  });
}

Deno.test("qed reads an image of a petabyte in little memory", () => {
  using folder = new TempDirectory();
  const path = folder.file("large.qed");
  const cluster = 2 ** 20;
  const header = {
    cluster_size: cluster,
    table_size: 16,
    l1_table_offset: BigInt(cluster),
    image_size: 2n ** 50n,
  };
  Deno.writeFileSync(path, buildQed({ header, l1: [], stored: 0 }));
  Deno.truncateSync(path, 17 * cluster);
  const before = Deno.memoryUsage().external;
  using image = new OpenedImage(path, qed);
  assertEquals(image.read(2 ** 50 - 1, 1), Uint8Array.of(0));
  assert(Deno.memoryUsage().external - before < 32 * 2 ** 20);
});

const DAMAGED: readonly [message: string, header: QedParts["header"]][] = [
  ["this is no QED image", { magic: 1 }],
  ["clusters of 2048 bytes are not possible", { cluster_size: 2048 }],
  ["clusters of 5000 bytes are not possible", { cluster_size: 5000 }],
  ["clusters of 134217728 bytes are not possible", { cluster_size: 2 ** 27 }],
  ["tables of 0 clusters are not possible", { table_size: 0 }],
  ["tables of 3 clusters are not possible", { table_size: 3 }],
  ["tables of 32 clusters are not possible", { table_size: 32 }],
  ["the header has no size", { header_size: 0 }],
  ["the tables are too small for the disk", { image_size: 2n ** 30n + 512n }],
  ["the disk ends within a sector", { image_size: 1000n }],
  ["the L1 table cannot be where", { l1_table_offset: 0n }],
  ["the L1 table cannot be where", { l1_table_offset: BigInt(L1 + 512) }],
  ["the L1 table cannot be where", { l1_table_offset: 2n ** 63n }],
  ["the L1 table cannot be where", { header_size: 2 }],
  ["the backing file name is too long", {
    features: Feature.backingFile,
    backing_filename_size: 1024,
  }],
  ["the backing file name is not in the header", {
    features: Feature.backingFile,
    backing_filename_offset: 0xffff_ffff,
    backing_filename_size: 10,
  }],
];

for (const [message, header = {}] of DAMAGED) {
  Deno.test(`qed refuses damage: ${message} (${Object.entries(header)})`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, { header }), ImageFormatError, message);
  });
}

Deno.test("qed refuses files too short for a header", () => {
  using folder = new TempDirectory();
  const path = folder.file("short");
  Deno.writeFileSync(path, buildQed().subarray(0, HEADER.sizeBytes - 1));
  assertThrows(() => new OpenedImage(path, qed), ImageFormatError, "too short");
});

const UNSUPPORTED: readonly [message: string, parts: QedParts][] = [
  ["features 0x8 ", { header: { features: 10n } }],
  ["features 0x8000000000000000", { header: { features: 1n << 63n } }],
  ["a backing file", { backing: "base" }],
];

for (const [message, parts] of UNSUPPORTED) {
  Deno.test(`qed refuses by name: ${message}`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, parts), UnsupportedFeatureError, message);
  });
}

Deno.test("qed describes an image, and what lies below it", () => {
  using folder = new TempDirectory();
  const path = folder.file("child.qed");
  Deno.writeFileSync(path, buildQed({ backing: "base.img" }));
  using file = openImageFile(path);
  assertEquals(qed.info?.(file), {
    format: "qed",
    sizeBytes: 16 * CLUSTER,
    clusterBytes: CLUSTER,
    dirty: false,
    backing: { name: "base.img", format: "raw" },
  });
});

Deno.test("qed says of an image that it was not closed in order", () => {
  using folder = new TempDirectory();
  const path = folder.file("dirty.qed");
  Deno.writeFileSync(path, buildQed({ header: { features: Feature.needCheck } }));
  using file = openImageFile(path);
  assertEquals(qed.info?.(file).dirty, true);
});
