// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { PieceSize } from "../../src/loop/piece_size.ts";

const KIB = 1024;

/** How large pieces become where a MiB takes `msPerMib`. */
function settled(msPerMib: number): number {
  const size = new PieceSize();
  for (let i = 0; i < 50; i++) size.took(size.bytes / KIB / KIB * msPerMib, size.bytes);
  return size.bytes;
}

Deno.test("PieceSize finds pieces that take no more than some milliseconds", () => {
  for (const msPerMib of [0.01, 0.1, 1, 3, 10]) {
    const ms = settled(msPerMib) / KIB / KIB * msPerMib;
    assert(ms <= 2 && ms >= 0.5, `${ms} ms`);
  }
});

Deno.test("PieceSize stays within bounds, and a power of two", () => {
  assertEquals([settled(1e9), settled(0)], [64 * KIB, 2 ** 30]);
  const size = new PieceSize();
  size.took(0, 100);
  assertEquals(size.bytes, KIB * KIB, "a last piece that is short says nothing");
});
