// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { listDirectory, makeDirectory } from "../../src/sys/directories.ts";
import { SystemError } from "../../src/sys/errno.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

Deno.test("listDirectory() lists names of every length, sorted, and nothing where it cannot", () => {
  using folder = new TempDirectory();
  const names = ["b", "a", ".hidden", "ä", "n".repeat(255), "with space"];
  for (const name of names) Deno.writeTextFileSync(folder.file(name), "");
  assertEquals(listDirectory(folder.path), names.sort());
  assertEquals(listDirectory(folder.file("missing")), []);
  assertEquals(listDirectory(folder.file("a")), []);
});

Deno.test("makeDirectory() takes what is there already as made", () => {
  using folder = new TempDirectory();
  const made = folder.file("made");
  makeDirectory(made, 0o700);
  makeDirectory(made, 0o700);
  assertEquals((Deno.statSync(made).mode ?? 0) & 0o777, 0o700);
  assertThrows(() => makeDirectory(folder.file("missing/made"), 0o700), SystemError);
});
