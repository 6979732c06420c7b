// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import {
  cachesAtDepth,
  cachesOfFurtherThread,
  DEFAULT_CACHES,
  fewestPieces,
} from "../../src/image/cache_sizes.ts";

const MIB = 1024 * 1024;

Deno.test("the caches of four threads take less than 48 MiB", () => {
  const { metadataCacheBytes } = cachesOfFurtherThread({});
  const first = DEFAULT_CACHES.metadataCacheBytes + DEFAULT_CACHES.dataCacheBytes;
  assert(first + 3 * metadataCacheBytes < 48 * MIB);
});

Deno.test("cachesOfFurtherThread() takes what was asked for", () => {
  const asked = { metadataCacheBytes: MIB, dataCacheBytes: 7 };
  assertEquals(cachesOfFurtherThread(asked), { metadataCacheBytes: MIB });
});

Deno.test("cachesAtDepth() gives a chain of any length less than twice the top image's", () => {
  assertEquals(cachesAtDepth(0, {}), DEFAULT_CACHES);
  assertEquals(cachesAtDepth(1, { dataCacheBytes: 4 * MIB }), {
    metadataCacheBytes: DEFAULT_CACHES.metadataCacheBytes / 4,
    dataCacheBytes: MIB,
  });
  const sizes = Array.from({ length: 200 }, (_, depth) => cachesAtDepth(depth, {}));
  const total = sizes.reduce((sum, { metadataCacheBytes }) => sum + metadataCacheBytes, 0);
  assert(total < 2 * DEFAULT_CACHES.metadataCacheBytes);
});

Deno.test("fewestPieces() keeps what hundreds of images take within bounds", () => {
  assertEquals([fewestPieces(0, 2 * MIB), fewestPieces(1, 2 * MIB)], [4, 4]);
  assertEquals([fewestPieces(2, 65536), fewestPieces(2, 2 * MIB)], [4, 0]);
  for (const pieceBytes of [512, 65536, MIB, 2 * MIB]) {
    const pieces = Array.from({ length: 200 }, (_, depth) => fewestPieces(depth, pieceBytes));
    assert(pieces.reduce((sum, count) => sum + count, 0) * pieceBytes <= 66 * MIB);
  }
});
