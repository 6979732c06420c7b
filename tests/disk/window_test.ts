// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { windowOf } from "../../src/disk/window.ts";

function window(diskBytes: number, offsetBytes: number, sizeLimitBytes: number): number[] {
  const { startBytes, sizeBytes } = windowOf(diskBytes, { offsetBytes, sizeLimitBytes });
  return [startBytes, sizeBytes];
}

Deno.test("windowOf() shows the rest of the disk where there is no limit", () => {
  assertEquals(window(1000, 0, 0), [0, 1000]);
  assertEquals(window(1000, 1, 0), [1, 999]);
  assertEquals(window(1000, 999, 0), [999, 1]);
  assertEquals(window(0, 0, 0), [0, 0]);
});

Deno.test("windowOf() ends at the limit, or where the disk does", () => {
  assertEquals(window(1000, 0, 10), [0, 10]);
  assertEquals(window(1000, 990, 10), [990, 10]);
  assertEquals(window(1000, 991, 10), [991, 9]);
  assertEquals(window(1000, 0, 2 ** 50), [0, 1000]);
  assertEquals(window(2 ** 52, 2 ** 51, 512), [2 ** 51, 512]);
});

Deno.test("windowOf() refuses an offset that leaves nothing", () => {
  for (const [disk, offset] of [[1000, 1000], [1000, 1001], [0, 1], [512, 2 ** 50]] as const) {
    assertThrows(() => window(disk, offset, 0), RangeError, `offset ${offset}`);
  }
});
