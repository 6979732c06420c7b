// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { SectorMarks } from "../../../src/format/kit/sector_marks.ts";
import { TableCache } from "../../../src/format/kit/table_cache.ts";
import { openLibc } from "../../../src/sys/libc.ts";

openLibc();

function filled(): { cache: TableCache; marks: SectorMarks; at: (key: number) => number } {
  const cache = new TableCache(1024, { cacheBytes: 4096, keys: 2 ** 30 });
  const marks = new SectorMarks(cache);
  for (let key = 0; key < 4; key++) cache.keep(key, cache.take(key));
  return { cache, marks, at: (key) => cache.find(key) };
}

function taken(cache: TableCache, marks: SectorMarks): [number, number][] {
  const seen: [number, number][] = [];
  marks.take((position, sectors) => seen.push([cache.keyAt(position), sectors]));
  return seen;
}

Deno.test("SectorMarks.take() tells each dirty sector once", () => {
  const { cache, marks, at } = filled();
  marks.mark(at(1) + 511);
  marks.mark(at(1) + 500);
  marks.mark(at(3) + 512);
  assertEquals(marks.dirtySlots, 2);
  assertEquals(taken(cache, marks), [[1, 1], [3, 2]]);
  assertEquals(taken(cache, marks), []);
  assertEquals(marks.dirtySlots, 0);
});

Deno.test("SectorMarks.updated() lets go of what is on the disk, and only of that", () => {
  const { cache, marks, at } = filled();
  marks.mark(at(1));
  marks.mark(at(2));
  taken(cache, marks);
  marks.mark(at(2) + 600);
  marks.updated(true);
  assertEquals(taken(cache, marks), [[2, 2]]);
  // Slots 1 and 2 are in one set with all others: only what is clean is taken for another key.
  for (const key of [4, 5, 6]) cache.keep(key, cache.take(key));
  assertEquals([1, 2].map((key) => cache.find(key) >= 0), [false, true]);
});

Deno.test("SectorMarks.updated() marks again what could not be written", () => {
  const { cache, marks, at } = filled();
  marks.mark(at(1));
  taken(cache, marks);
  marks.mark(at(1) + 512);
  marks.updated(false);
  assertEquals(marks.dirtySlots, 1);
  assertEquals(taken(cache, marks), [[1, 3]]);
  assertEquals(cache.dirtySlots, 1);
  marks.updated(true);
  assertEquals(cache.dirtySlots, 0);
});
