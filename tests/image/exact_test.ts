// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { UnsupportedFeatureError } from "../../src/image/errors.ts";
import { exact, servedSize } from "../../src/image/exact.ts";

const LARGEST = 2n ** 53n - 1n;

Deno.test("exact() is a number where that is exact", () => {
  assertEquals([exact(0n), exact(LARGEST)], [0, Number(LARGEST)]);
  assertEquals([exact(LARGEST + 1n), exact(2n ** 64n - 1n)], [2n ** 53n, 2n ** 64n - 1n]);
});

Deno.test("servedSize() refuses what is no exact number", () => {
  assertEquals(servedSize(LARGEST, "QCOW", "x"), Number(LARGEST));
  assertThrows(
    () => servedSize(LARGEST + 1n, "QCOW", "x"),
    UnsupportedFeatureError,
    "QCOW images with a disk of 8 PiB or more are not supported",
  );
});
