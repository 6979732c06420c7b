// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { memoryFile } from "../../src/kernel/memory_file.ts";
import { TemporaryFile } from "../../src/storage/temporary_file.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";

openLibc();

const PAGE = 4096;
const PUNCH_HOLE = 0x01 | 0x02;

Deno.test("TemporaryFile has room up to its limit, and again for what is freed", () => {
  const fd = memoryFile("test", new Uint8Array(0));
  using file = new TemporaryFile(fd, "test", 4 * PAGE);
  const page = new IoBuffer(PAGE);
  for (let n = 0; n < 4; n++) {
    assert(file.takeRoom(PAGE));
    file.write(page, 0, n * PAGE, PAGE);
  }
  assertEquals(file.takeRoom(1), false);
  // What is written over takes none.
  file.write(page, 0, 0, PAGE);
  assertEquals(file.takeRoom(PAGE), false);
  assert(file.allocate(PUNCH_HOLE, PAGE, 2 * PAGE));
  assert(file.takeRoom(2 * PAGE));
  assertEquals(file.takeRoom(3 * PAGE), false);
});

Deno.test("TemporaryFile counts what was asked for as taken, until it has to look", () => {
  const fd = memoryFile("test", new Uint8Array(0));
  using file = new TemporaryFile(fd, "test", 4 * PAGE);
  assert(file.takeRoom(3 * PAGE));
  // Nothing was written: there is room for all of it.
  assert(file.takeRoom(4 * PAGE));
});

Deno.test("TemporaryFile is never synced", () => {
  const fd = memoryFile("test", new Uint8Array(0));
  const file = new TemporaryFile(fd, "test", PAGE);
  assert(file.isTemporary);
  file[Symbol.dispose]();
  file.sync();
});

Deno.test("TemporaryFile that outlives the process is not synced, either", () => {
  const fd = memoryFile("test", new Uint8Array(0));
  using file = new TemporaryFile(fd, "test", PAGE, { outlivesProcess: true });
  assertEquals([file.isTemporary, file.isVolatile], [false, true]);
  file.write(new IoBuffer(PAGE), 0, 0, PAGE);
  assertEquals(file.takeUnsynced(), false);
});
