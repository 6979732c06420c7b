// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { KEPT_SECTIONS, KeptMemory, makeKeptMemory } from "../../src/daemon/kept_memory.ts";
import { openLibc } from "../../src/sys/libc.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

Deno.test("KeptMemory: who maps it next finds what was stored", () => {
  using fd = makeKeptMemory();
  assert(fd);
  const before = new KeptMemory(fd.number);
  const after = new KeptMemory(fd.number);
  before.section("journal").bytes.set([1, 2, 3], 4 * 1024 * 1024);
  before.section("counters").view.setUint32(60, 7, true);
  assertEquals([...after.section("journal").bytes.subarray(4194303, 4194308)], [0, 1, 2, 3, 0]);
  assertEquals(after.section("counters").view.getUint32(60, true), 7);
  assertEquals(after.section("journal").bytes[0], 0);
});

Deno.test("KEPT_SECTIONS do not overlap", () => {
  const sections = Object.values(KEPT_SECTIONS).sort((a, b) => a.offset - b.offset);
  let end = 0;
  for (const { offset, lengthBytes } of sections) {
    assertEquals(offset, end);
    end = offset + lengthBytes;
  }
});
