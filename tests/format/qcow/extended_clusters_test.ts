// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { qcow } from "../../../src/format/qcow/mod.ts";
import { ImageFormatError } from "../../../src/image/errors.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { TempDirectory } from "../../support/tools.ts";
import { OpenedImage } from "../opened_image.ts";
import { buildImage, DATA_CLUSTER } from "./image_builder.ts";

const BITS = 14;
const CLUSTER = 2 ** BITS;
const SUBCLUSTER = CLUSTER / 32;
const ALL = 0xffff_ffffn;
const { Backing, Data, Zero } = Extent;

function opened(folder: TempDirectory, l2: readonly bigint[]): OpenedImage {
  const path = folder.file("disk.qcow2");
  Deno.writeFileSync(
    path,
    buildImage({ clusterBits: BITS, headerV3: { incompatible_features: 16 }, l2 }),
  );
  return new OpenedImage(path, qcow);
}

function host(cluster: number): bigint {
  return BigInt(cluster * CLUSTER);
}

/** Kind and length in subclusters of all answers for the first `clusters` clusters. */
function extents(image: OpenedImage, clusters: number): [Extent, number][] {
  return [...image.extents(0, clusters * CLUSTER)].map(({ mapping }) => [
    mapping.kind,
    mapping.lengthBytes / SUBCLUSTER,
  ]);
}

Deno.test("ExtendedClusters joins subclusters of a cluster", () => {
  using folder = new TempDirectory();
  using image = opened(folder, [host(3), (0xf000n << 32n) | 0x0f0fn]);
  assertEquals(extents(image, 1), [[Data, 4], [Backing, 4], [Data, 4], [Zero, 4], [Backing, 16]]);
  assertEquals(image.read(4 * SUBCLUSTER - 1, 2), Uint8Array.of(3, 0));
});

Deno.test("ExtendedClusters joins subclusters of contiguous clusters only", () => {
  using folder = new TempDirectory();
  const high = 0xffff_0000n;
  using image = opened(folder, [host(3), high, host(4), ALL, host(6), ALL, host(7), 1n]);
  assertEquals(extents(image, 4), [[Backing, 16], [Data, 48], [Data, 33], [Backing, 31]]);
});

Deno.test("ExtendedClusters tells what is zero from what is not allocated", () => {
  using folder = new TempDirectory();
  using image = opened(folder, [host(3), 1n, 0n, 0n, 0n, ALL << 32n, host(4), 1n << 31n]);
  assertEquals(extents(image, 4), [[Data, 1], [Backing, 63], [Zero, 32], [Backing, 31], [Data, 1]]);
});

Deno.test("ExtendedClusters answers no more than was asked for", () => {
  using folder = new TempDirectory();
  using image = opened(folder, [host(3), ALL, host(4), ALL]);
  const lengths = [1, 100, SUBCLUSTER, CLUSTER, CLUSTER + 1, 2 * CLUSTER - 700];
  for (const length of lengths) {
    const [only, ...others] = image.extents(700, length);
    assertEquals([only?.mapping.lengthBytes, only?.mapping.hostOffset, others.length], [
      length,
      DATA_CLUSTER * CLUSTER + 700,
      0,
    ]);
  }
});

const DAMAGED = new Map<string, [bigint, bigint]>([
  ["a subcluster both zero and allocated", [host(3), (1n << 63n) | 1n << 31n]],
  ["an allocated subcluster without a cluster", [0n, 1n << 31n]],
  ["an offset that is not aligned", [host(3) + 512n, ALL]],
]);

for (const [name, entry] of DAMAGED) {
  Deno.test(`ExtendedClusters throws at ${name}, and reads all around it`, () => {
    using folder = new TempDirectory();
    using image = opened(folder, [host(3), ALL, ...entry, host(4), ALL]);
    assertEquals(image.read(CLUSTER - 1, 1), Uint8Array.of(3));
    assertThrows(() => image.read(CLUSTER, 1), ImageFormatError, "is not valid");
    assertEquals(image.read(2 * CLUSTER, 1), Uint8Array.of(4));
  });
}

Deno.test("ExtendedClusters maps any bitmaps as the specification says", () => {
  using folder = new TempDirectory();
  const word = fc.integer({ min: 0, max: 0xffff_ffff });
  const entry = fc.record({ cluster: fc.integer({ min: 0, max: 3 }), allocated: word, zero: word });
  fc.assert(fc.property(fc.array(entry, { minLength: 1, maxLength: 6 }), (entries) => {
    const l2 = entries.flatMap(({ cluster, allocated, zero }) => {
      const stored = cluster === 0 ? 0 : (allocated & ~zero) >>> 0;
      return [cluster === 0 ? 0n : host(cluster + 2), (BigInt(zero) << 32n) | BigInt(stored)];
    });
    using image = opened(folder, l2);
    const actual = extents(image, entries.length)
      .flatMap(([kind, count]) => Array<boolean>(count).fill(kind === Data));
    const expected = entries.flatMap(({ cluster, allocated, zero }) =>
      Array.from(
        { length: 32 },
        (_, bit) => cluster !== 0 && (allocated >>> bit & 1) === 1 && (zero >>> bit & 1) === 0,
      )
    );
    assertEquals(actual, expected);
    for (const [index, isData] of expected.entries()) {
      const cluster = entries[Math.floor(index / 32)]?.cluster ?? 0;
      const value = isData ? cluster + 2 : 0;
      assertEquals(image.read(index * SUBCLUSTER, 1), Uint8Array.of(value));
    }
  }));
});
