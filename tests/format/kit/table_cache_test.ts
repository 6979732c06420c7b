// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { TableCache } from "../../../src/format/kit/table_cache.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { randomNumbers } from "../../support/images.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const ENDLESS = 2 ** 40;

function fill(cache: TableCache, key: number): number {
  const position = cache.take(key);
  cache.buffer.view.setFloat64(position, key);
  cache.keep(key, position);
  return position;
}

Deno.test("TableCache.find() finds what was kept, and nothing else", () => {
  const cache = new TableCache(64, { cacheBytes: 1024, keys: ENDLESS });
  assertEquals(cache.find(0), -1);
  const position = fill(cache, 0);
  assertEquals(cache.find(0), position);
  assertEquals(cache.find(1), -1);
});

Deno.test("TableCache.take() leaves a slot empty until it is kept", () => {
  const cache = new TableCache(64, { cacheBytes: 64, keys: ENDLESS });
  fill(cache, 5);
  cache.take(6);
  assertEquals(cache.find(5), -1);
  assertEquals(cache.find(6), -1);
});

Deno.test("TableCache is bounded by bytes and by keys, but has a slot at least", () => {
  const slots = (cacheBytes: number, keys: number): number =>
    new TableCache(64, { cacheBytes, keys }).buffer.size / 64;
  assertEquals(slots(1024, ENDLESS), 16);
  assertEquals(slots(1000, ENDLESS), 8);
  assertEquals(slots(1024, 4), 4);
  assertEquals(slots(1024, 5), 8);
  assertEquals(slots(1024, 17), 16);
  assertEquals(slots(10, ENDLESS), 1);
  assertEquals(slots(1024, 0), 1);
});

Deno.test("TableCache replaces what was not used for longest", () => {
  const cache = new TableCache(64, { cacheBytes: 8 * 64, keys: ENDLESS });
  for (let key = 0; key < 8; key++) fill(cache, key);
  cache.find(0);
  fill(cache, 8);
  assert(cache.find(0) >= 0);
  assertEquals(cache.find(1), -1);
});

Deno.test("TableCache holds all keys below the number of slots, in any order", () => {
  const cache = new TableCache(64, { cacheBytes: 64 * 64, keys: ENDLESS });
  for (let key = 63; key >= 0; key--) fill(cache, key);
  for (let key = 0; key < 64; key++) assert(cache.find(key) >= 0);
});

Deno.test("TableCache holds all keys there are, if it may have room for them", () => {
  const cache = new TableCache(64, { cacheBytes: 64 * 64, keys: 48 });
  for (let key = 0; key < 48; key++) fill(cache, key);
  for (let key = 0; key < 48; key++) assert(cache.find(key) >= 0);
});

Deno.test("TableCache never gives one key's slot for another, large keys included", () => {
  const cache = new TableCache(64, { cacheBytes: 32 * 64, keys: ENDLESS });
  const random = randomNumbers(7);
  for (let i = 0; i < 20_000; i++) {
    const key = Math.floor(random() * 100) * (random() < 0.5 ? 1 : 2 ** 33 + 1);
    const found = cache.find(key);
    if (found < 0) fill(cache, key);
    else assertEquals(cache.buffer.view.getFloat64(found), key);
  }
});

/** Memory of this process that no file backs, in bytes. */
function residentBytes(): number {
  const status = Deno.readTextFileSync("/proc/self/status");
  return 1024 * Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]);
}

Deno.test("TableCache.clear() forgets everything and gives the memory back", () => {
  const sizeBytes = 32 * 1024 * 1024;
  const cache = new TableCache(4096, { cacheBytes: sizeBytes, keys: ENDLESS });
  assertEquals([cache.buffer.address % 4096, cache.buffer.size], [0, sizeBytes]);
  for (let key = 0; key < sizeBytes / 4096; key++) fill(cache, key + 1);
  const before = residentBytes();
  cache.clear();
  const after = residentBytes();
  assert(before - after > sizeBytes / 2, `${before} before, ${after} after`);
  for (let key = 0; key < sizeBytes / 4096; key++) assertEquals(cache.find(key + 1), -1);
  const position = fill(cache, 7);
  assertEquals([cache.find(7), cache.buffer.view.getFloat64(position)], [position, 7]);
});

Deno.test("TableCache.take() leaves alone what is dirty or pinned", () => {
  const cache = new TableCache(64, { cacheBytes: 8 * 64, keys: ENDLESS });
  const positions = Array.from({ length: 8 }, (_, key) => fill(cache, key));
  const [first = -1, second = -1, third = -1] = positions;
  for (const position of positions.slice(1)) cache.markDirty(position);
  cache.pin(first);
  assertEquals(cache.take(100), -1);
  for (let key = 0; key < 8; key++) assertEquals(cache.find(key), positions[key]);
  cache.markClean(second);
  assertEquals([fill(cache, 100), cache.find(1), cache.find(2)], [second, -1, third]);
  cache.markDirty(second);
  cache.unpin(first);
  assertEquals(cache.take(101), first);
});

Deno.test("TableCache.take() leaves a slot alone that is being filled, if it is pinned", () => {
  const cache = new TableCache(64, { cacheBytes: 8 * 64, keys: ENDLESS });
  for (let key = 0; key < 8; key++) cache.pin(cache.take(key));
  assertEquals([cache.take(0), cache.take(8)], [-1, -1]);
  cache.unpin(3 * 64);
  assertEquals(cache.take(0), 3 * 64);
});

Deno.test("TableCache.nextDirty() finds what has to be written, each once", () => {
  const cache = new TableCache(64, { cacheBytes: 16 * 64, keys: ENDLESS });
  for (let key = 0; key < 16; key++) fill(cache, key);
  const wanted = [3, 7, 15];
  for (const key of wanted) {
    cache.markDirty(cache.find(key));
    cache.markDirty(cache.find(key));
  }
  const found: number[] = [];
  for (let at = cache.nextDirty(0); at >= 0; at = cache.nextDirty(at)) {
    found.push(cache.keyAt(at));
    cache.markClean(at);
    cache.markClean(at);
  }
  assertEquals([found, cache.dirtySlots], [wanted, 0]);
});

Deno.test("TableCache.clear() keeps what is dirty or pinned, with its bytes", () => {
  const cache = new TableCache(4096, { cacheBytes: 32 * 4096, keys: ENDLESS });
  for (let key = 0; key < 32; key++) fill(cache, key + 1);
  cache.markDirty(cache.find(5));
  cache.pin(cache.find(9));
  cache.clear();
  for (let key = 1; key <= 32; key++) {
    const position = cache.find(key);
    assertEquals(position >= 0, key === 5 || key === 9);
    if (position >= 0) assertEquals(cache.buffer.view.getFloat64(position), key);
  }
  cache.markClean(cache.find(5));
  cache.unpin(cache.find(9));
  cache.clear();
  assertEquals([cache.find(5), cache.find(9)], [-1, -1]);
});
