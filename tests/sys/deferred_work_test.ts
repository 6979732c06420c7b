// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { DeferredWork } from "../../src/sys/deferred_work.ts";
import { lastErrno, openLibc } from "../../src/sys/libc.ts";

// Opened within a test, it would count as a leak of that test.
openLibc();

function openFiles(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

Deno.test("DeferredWork.runNow() is a system call that succeeds", () => {
  const before = openFiles();
  {
    using deferred = new DeferredWork();
    for (let n = 0; n < 1000; n++) deferred.runNow();
    assertEquals(openFiles(), before + 1);
    assertEquals(lastErrno() === 9, /* EBADF */ false);
  }
  assertEquals(openFiles(), before);
});
