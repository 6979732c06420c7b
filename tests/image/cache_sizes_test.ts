// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import {
  cachesAtDepth,
  cachesOfFurtherThread,
  DEFAULT_CACHES,
} from "../../src/image/cache_sizes.ts";

const MIB = 1024 * 1024;

Deno.test("the caches of four threads take less than 64 MiB", () => {
  const further = cachesOfFurtherThread({});
  const total = [DEFAULT_CACHES, further, further, further]
    .reduce((sum, sizes) => sum + sizes.metadataCacheBytes + sizes.dataCacheBytes, 0);
  assert(total <= 48 * MIB, `${total}`);
});

Deno.test("cachesOfFurtherThread() takes what was asked for", () => {
  assertEquals(cachesOfFurtherThread({ metadataCacheBytes: MIB }), {
    metadataCacheBytes: MIB,
    dataCacheBytes: 2 * MIB,
  });
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
