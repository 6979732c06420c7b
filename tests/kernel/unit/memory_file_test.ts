// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { memoryFile } from "../../../src/kernel/memory_file.ts";
import { openLibc } from "../../../src/sys/libc.ts";

openLibc();

Deno.test("memoryFile() keeps bytes in a file that has no name", () => {
  const content = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
  using file = memoryFile("tslosetup-test", content);
  const path = `/proc/self/fd/${file.number}`;
  assertEquals(Deno.readFileSync(path), content);
  assert(Deno.readLinkSync(path).startsWith("/memfd:tslosetup-test"));
});
