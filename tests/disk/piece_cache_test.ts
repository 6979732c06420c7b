// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { PieceCache } from "../../src/disk/piece_cache.ts";
import { PieceMemory, type PieceSlots } from "../../src/disk/piece_memory.ts";
import { SparePiece } from "../../src/disk/workbench.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { bytesAt } from "../../src/sys/memory.ts";
import type { HammerResult, HammerTask } from "./piece_cache_hammer.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const SLOT = 65536;
const ENDLESS = 2 ** 52;

function memoryOf(slots: number, slotBytes = SLOT): PieceSlots {
  const limits = { cacheBytes: slots * slotBytes, depth: 0, sizeBytes: ENDLESS };
  return new PieceMemory(limits).reserve(slotBytes);
}

/** Where piece number `n` begins. */
function at(n: number): number {
  return n * SLOT;
}

/** Keeps piece number `n`. */
function fill(cache: PieceCache, n: number): number {
  cache.take(at(n), SLOT).fill(n % 251);
  return cache.keep(at(n));
}

function byteAt(address: number): number | undefined {
  return bytesAt(address, 1)[0];
}

Deno.test("PieceCache.find(at()) finds what any thread has kept, and nothing else", () => {
  const memory = memoryOf(16);
  const [one, other] = [new PieceCache(memory), new PieceCache(memory)];
  for (const key of [0, 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 36]) {
    assertEquals([one.find(at(key)), other.find(at(key))], [-1, -1], `${key}`);
    const address = fill(one, key);
    assertEquals([one.find(at(key)), other.find(at(key))], [address, address], `${key}`);
    assertEquals(byteAt(address), key % 251);
  }
  assertEquals(one.find(at(2 ** 32 + 2)), -1);
});

Deno.test("PieceCache replaces what was not used for longest", () => {
  const cache = new PieceCache(memoryOf(8));
  for (let key = 0; key < 8; key++) fill(cache, key);
  cache.find(at(0));
  fill(cache, 8);
  assert(cache.find(at(0)) >= 0);
  assertEquals(cache.find(at(1)), -1);
});

Deno.test("PieceCache holds all keys below the number of slots, in any order", () => {
  const cache = new PieceCache(memoryOf(64));
  for (let key = 63; key >= 0; key--) fill(cache, key);
  for (let key = 0; key < 64; key++) assertEquals(byteAt(cache.find(at(key))), key);
});

Deno.test("PieceCache leaves alone what another thread uses", () => {
  const memory = memoryOf(4);
  const [reader, filler] = [new PieceCache(memory), new PieceCache(memory)];
  fill(filler, 7);
  const address = reader.find(at(7));
  for (let key = 8; key < 40; key++) fill(filler, key);
  assertEquals(byteAt(address), 7);
  assertEquals(filler.find(at(7)), address);
  reader.giveUp();
  for (let key = 8; key < 40; key++) fill(filler, key);
  assertEquals(reader.find(at(7)), -1);
});

Deno.test("PieceCache has room for as many pieces in a row as it has slots, if none is in use", () => {
  const memory = memoryOf(8);
  const [one, other] = [new PieceCache(memory), new PieceCache(memory)];
  fill(other, 100);
  other.giveUp();
  for (let key = 0; key < 8; key++) fill(one, key);
  for (let key = 0; key < 8; key++) assertEquals(byteAt(one.find(at(key))), key);
});

Deno.test("PieceCache has a place for a piece even where all slots are in use", () => {
  const memory = memoryOf(4);
  const others = [5, 6, 7, 8].map((key) => {
    const cache = new PieceCache(memory);
    fill(cache, key);
    return cache;
  });
  const cache = new PieceCache(memory);
  const address = fill(cache, 9);
  assertEquals(byteAt(address), 9);
  assertEquals(cache.find(at(9)), address);
  assertEquals(others.map((other) => other.find(at(9))), [-1, -1, -1, -1]);
  cache.take(at(10), SLOT);
  cache.giveUp();
  assertEquals([cache.find(at(9)), cache.find(at(10))], [address, -1]);
});

Deno.test("PieceCache waits for who loads a piece, but not for ever", () => {
  const memory = memoryOf(8);
  const [loader, reader] = [new PieceCache(memory), new PieceCache(memory)];
  loader.take(at(3), SLOT);
  assert(reader.has(at(3)));
  assertEquals(reader.find(at(3)), -1);
  loader.giveUp();
  assert(!reader.has(at(3)));
  assertEquals(reader.find(at(3)), -1);
  fill(loader, 3);
  assertNotEquals(reader.find(at(3)), -1);
});

Deno.test("PieceCache.clear() gives the memory back when the last user does", () => {
  const memory = memoryOf(8);
  const [one, other] = [new PieceCache(memory), new PieceCache(memory)];
  const address = fill(one, 3);
  other.find(at(3));
  one.clear();
  one.clear();
  assertEquals([byteAt(address), other.find(at(3))], [3, address]);
  other.clear();
  assertEquals([byteAt(address), other.find(at(3)), one.find(at(3))], [0, -1, -1]);
  assertEquals(byteAt(fill(one, 4)), 4);
});

Deno.test("PieceCache keeps what is too large for a slot for its own thread", () => {
  const memory = memoryOf(8);
  const [one, other] = [new PieceCache(memory), new PieceCache(memory)];
  const large = one.take(at(5), 3 * SLOT);
  assertEquals(large.length, 3 * SLOT);
  large.fill(9);
  const address = one.keep(at(5));
  assertEquals([byteAt(address + 3 * SLOT - 1), one.find(at(5)), other.find(at(5))], [
    9,
    address,
    -1,
  ]);
  assertEquals(one.take(at(6), 100).length, 100);
});

Deno.test("PieceMemory is bounded by bytes and by the disk, but has its fewest slots", () => {
  const slots = (cacheBytes: number, pieces: number): number =>
    new PieceMemory({ cacheBytes, depth: 0, sizeBytes: pieces * 512 }).reserve(512).slots;
  const many = 2 ** 30;
  assertEquals([slots(8192, many), slots(8191, many), slots(80, many)], [16, 8, 4]);
  assertEquals([slots(8192, 4), slots(8192, 5), slots(8192, 17), slots(8192, 0)], [4, 8, 16, 1]);
});

Deno.test("PieceMemory of an image far below has no slots where pieces are large", () => {
  const limits = { cacheBytes: 200, depth: 199, sizeBytes: ENDLESS };
  const slots = [65536, 2 ** 17, 2 ** 18, 2 ** 19, 2 ** 21].map((pieceBytes) => {
    using memory = new PieceMemory(limits);
    return memory.reserve(pieceBytes).slots;
  });
  assertEquals(slots, [4, 2, 1, 0, 0]);
});

Deno.test("PieceCache without slots has the piece it has got last, for its own thread", () => {
  using memory = new PieceMemory({ cacheBytes: 200, depth: 199, sizeBytes: ENDLESS });
  const slots = memory.reserve(2 ** 21);
  const spare = new SparePiece();
  const [one, below] = [new PieceCache(slots, spare), new PieceCache(slots, spare)];
  assertEquals([one.find(0), one.has(0)], [-1, false]);
  one.take(0, 2 ** 21).fill(7);
  const address = one.keep(0);
  assertEquals([one.find(0), one.has(0), below.find(0), below.has(0)], [address, true, -1, false]);
  assertEquals(byteAt(address + 2 ** 21 - 1), 7);
  below.take(0, 2 ** 21);
  assertEquals([one.find(0), below.find(0)], [-1, -1]);
  below.keep(0);
  one.clear();
  assertEquals([one.has(0), below.has(0)], [false, true]);
});

Deno.test("PieceMemory is the same for all threads, whichever reserves it first", () => {
  const limits = { cacheBytes: 8192, depth: 0, sizeBytes: 2 ** 30 };
  const first = new PieceMemory(limits);
  const again = new PieceMemory(limits, first.shared);
  assertEquals([first.reserved, again.reserved], [undefined, undefined]);
  const { address, slotBytes, slots } = again.reserve(1024);
  assertEquals([slotBytes, slots], [1024, 8]);
  assertEquals([first.reserve(512).address, first.reserved?.slotBytes], [address, 1024]);
  first[Symbol.dispose]();
  assertEquals([first.reserved, again.reserved], [undefined, undefined]);
});

Deno.test("threads that share a cache always find what they look for", async () => {
  const task: HammerTask = { memory: memoryOf(16, 4096), keys: 40, rounds: 30_000 };
  const url = new URL("piece_cache_hammer.ts", import.meta.url);
  const results = await Promise.all(
    [1, 2, 3, 4].map((seed) => {
      const worker = new Worker(url, { type: "module" });
      return new Promise<HammerResult>((resolve, reject) => {
        worker.onmessage = ({ data }) => {
          worker.terminate();
          resolve(data);
        };
        worker.onerror = ({ message }) => reject(new Error(message));
        worker.postMessage({ ...task, seed });
      });
    }),
  );
  assertEquals(results.map(({ wrong }) => wrong), [0, 0, 0, 0]);
  for (const { found, loaded } of results) assert(found > 1000 && loaded > 1000);
});
