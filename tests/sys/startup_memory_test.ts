// @ts-types="../support/std_assert.d.ts"
import { assertGreaterOrEqual, assertLess } from "@std/assert";
import { forgetStartupPages } from "../../src/sys/startup_memory.ts";
import { openLibc } from "../../src/sys/libc.ts";

// Opened once, outside of all tests.
openLibc();

function filePagesKib(): number {
  return Number(/^RssFile:\s*(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1]);
}

Deno.test("forgetStartupPages() gives most program pages back, and the program goes on", () => {
  const before = filePagesKib();
  forgetStartupPages();
  assertLess(filePagesKib(), before * 0.7);
  // something not used so far, and something that relocations point to
  assertLess(new Intl.NumberFormat("en").format(1234567).length, 10);
  forgetStartupPages();
});

Deno.test("forgetStartupPages() leaves libraries alone: other threads may be loading them", () => {
  const before = libraryPagesKib();
  forgetStartupPages();
  assertGreaterOrEqual(libraryPagesKib(), before);
});

/** Resident memory of the C library's file. */
function libraryPagesKib(): number {
  const entries = Deno.readTextFileSync("/proc/self/smaps").split(/^(?=[0-9a-f]+-)/m)
    .filter((entry) => /libc\.so/.test(entry));
  return entries.reduce((sum, entry) => sum + Number(/^Rss: +(\d+) kB$/m.exec(entry)?.[1]), 0);
}
