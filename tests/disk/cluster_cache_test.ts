// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { ClusterCache } from "../../src/disk/cluster_cache.ts";
import { ClusterCaches, type SharedClusters } from "../../src/disk/cluster_caches.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { bytesAt } from "../../src/sys/memory.ts";
import type { HammerResult, HammerTask } from "./cluster_cache_hammer.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const SLOT = 65536;
const ENDLESS = 2 ** 40;
/** What is tested outlives its memory's owner nowhere: all of them are kept. */
const owners: ClusterCaches[] = [];

function memoryOf(slots: number, slotBytes = SLOT, pieces = ENDLESS): SharedClusters {
  const caches = new ClusterCaches();
  owners.push(caches);
  const limits = { slotBytes, cacheBytes: slots * slotBytes, pieces };
  return caches.add(limits, ClusterCache.stateIntegers).reserve();
}

function fill(cache: ClusterCache, key: number): number {
  cache.take(key).fill(key % 251);
  return cache.keep(key);
}

function byteAt(address: number): number | undefined {
  return bytesAt(address, 1)[0];
}

Deno.test("ClusterCache.find() finds what any thread has kept, and nothing else", () => {
  const memory = memoryOf(16);
  const [one, other] = [new ClusterCache(memory), new ClusterCache(memory)];
  for (const key of [0, 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 52]) {
    assertEquals([one.find(key), other.find(key)], [-1, -1], `${key}`);
    const address = fill(one, key);
    assertEquals([one.find(key), other.find(key)], [address, address], `${key}`);
    assertEquals(byteAt(address), key % 251);
  }
  assertEquals(one.find(2 ** 32 + 2), -1);
});

Deno.test("ClusterCache replaces what was not used for longest", () => {
  const cache = new ClusterCache(memoryOf(8));
  for (let key = 0; key < 8; key++) fill(cache, key);
  cache.find(0);
  fill(cache, 8);
  assert(cache.find(0) >= 0);
  assertEquals(cache.find(1), -1);
});

Deno.test("ClusterCache holds all keys below the number of slots, in any order", () => {
  const cache = new ClusterCache(memoryOf(64));
  for (let key = 63; key >= 0; key--) fill(cache, key);
  for (let key = 0; key < 64; key++) assertEquals(byteAt(cache.find(key)), key);
});

Deno.test("ClusterCache leaves alone what another thread uses", () => {
  const memory = memoryOf(4);
  const [reader, filler] = [new ClusterCache(memory), new ClusterCache(memory)];
  fill(filler, 7);
  const address = reader.find(7);
  for (let key = 8; key < 40; key++) fill(filler, key);
  assertEquals(byteAt(address), 7);
  assertEquals(filler.find(7), address);
  reader.giveUp();
  for (let key = 8; key < 40; key++) fill(filler, key);
  assertEquals(reader.find(7), -1);
});

Deno.test("ClusterCache has room for as many clusters in a row as it has slots, if none is in use", () => {
  const memory = memoryOf(8);
  const [one, other] = [new ClusterCache(memory), new ClusterCache(memory)];
  fill(other, 100);
  other.giveUp();
  for (let key = 0; key < 8; key++) fill(one, key);
  for (let key = 0; key < 8; key++) assertEquals(byteAt(one.find(key)), key);
});

Deno.test("ClusterCache has a place for a cluster even where all slots are in use", () => {
  const memory = memoryOf(4);
  const others = [5, 6, 7, 8].map((key) => {
    const cache = new ClusterCache(memory);
    fill(cache, key);
    return cache;
  });
  const cache = new ClusterCache(memory);
  const address = fill(cache, 9);
  assertEquals(byteAt(address), 9);
  assertEquals(cache.find(9), address);
  assertEquals(others.map((other) => other.find(9)), [-1, -1, -1, -1]);
  cache.take(10);
  cache.giveUp();
  assertEquals([cache.find(9), cache.find(10)], [address, -1]);
});

Deno.test("ClusterCache waits for who loads a cluster, but not for ever", () => {
  const memory = memoryOf(8);
  const [loader, reader] = [new ClusterCache(memory), new ClusterCache(memory)];
  loader.take(3);
  assert(reader.has(3));
  assertEquals(reader.find(3), -1);
  loader.giveUp();
  assert(!reader.has(3));
  assertEquals(reader.find(3), -1);
  fill(loader, 3);
  assertNotEquals(reader.find(3), -1);
});

Deno.test("ClusterCache.clear() gives the memory back when the last user does", () => {
  const memory = memoryOf(8);
  const [one, other] = [new ClusterCache(memory), new ClusterCache(memory)];
  const address = fill(one, 3);
  other.find(3);
  one.clear();
  one.clear();
  assertEquals([byteAt(address), other.find(3)], [3, address]);
  other.clear();
  assertEquals([byteAt(address), other.find(3), one.find(3)], [0, -1, -1]);
  assertEquals(byteAt(fill(one, 4)), 4);
});

Deno.test("ClusterCaches bounds memory by bytes and by clusters, but there are four slots at least", () => {
  const slots = (cacheBytes: number, pieces: number): number => {
    const limits = { slotBytes: 64, cacheBytes, pieces };
    return new ClusterCaches().add(limits, ClusterCache.stateIntegers).reserve().slots;
  };
  assertEquals([slots(1024, ENDLESS), slots(1000, ENDLESS), slots(10, ENDLESS)], [16, 8, 4]);
  assertEquals([slots(1024, 4), slots(1024, 5), slots(1024, 17), slots(1024, 0)], [4, 8, 16, 1]);
});

Deno.test("ClusterCaches hands the same memory to another thread, image by image", () => {
  const limits = [512, 1024].map((slotBytes) => ({ slotBytes, cacheBytes: 8192, pieces: 100 }));
  const first = new ClusterCaches();
  for (const each of limits) first.add(each, ClusterCache.stateIntegers);
  const again = new ClusterCaches(first.shared);
  const found = limits.map((each) => again.add(each, ClusterCache.stateIntegers).reserved);
  assertEquals(found, first.shared);
  const changed = new ClusterCaches(first.shared);
  assertThrows(
    () =>
      changed.add({ slotBytes: 1024, cacheBytes: 8192, pieces: 100 }, ClusterCache.stateIntegers),
    Error,
    "changed",
  );
});

Deno.test("threads that share a cache always find what they look for", async () => {
  const task: HammerTask = { memory: memoryOf(16, 4096), keys: 40, rounds: 30_000 };
  const url = new URL("cluster_cache_hammer.ts", import.meta.url);
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
