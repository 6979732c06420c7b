// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { Change, ChangeKind } from "../../src/disk/change.ts";
import { raw } from "../../src/format/raw/mod.ts";
import { Extent, Mapping } from "../../src/image/mapping.ts";
import { TempDirectory } from "../support/tools.ts";
import { OpenedImage, readRange } from "./opened_image.ts";

const SIZE = 1024 * 1024;

function rawFile(folder: TempDirectory): string {
  const path = folder.file("disk.raw");
  Deno.writeFileSync(path, new Uint8Array(SIZE).fill(7));
  return path;
}

Deno.test("raw.map() is the identity", () => {
  using folder = new TempDirectory();
  using opened = new OpenedImage(rawFile(folder), raw);
  const mapping = new Mapping();
  opened.image.map(4096, 1000, mapping);
  assertEquals(mapping.kind, Extent.Data);
  assertStrictEquals(mapping.file, opened.file);
  assertEquals([mapping.hostOffset, mapping.lengthBytes], [4096, 1000]);
  assertEquals(opened.image.sizeBytes, SIZE);
});

Deno.test("raw images have something that writes only where they can be written", () => {
  using folder = new TempDirectory();
  const path = rawFile(folder);
  using readOnly = new OpenedImage(path, raw);
  using writable = new OpenedImage(path, raw, { readOnly: false });
  assertEquals([readOnly.image.writing, readOnly.access.readOnly], [undefined, true]);
  assertEquals([writable.access.filesToSync, writable.access.readOnly], [[writable.file], false]);
  assertEquals(writable.access.writers, "any");
});

/** Clears a range, as far as the file system can. */
function clear(opened: OpenedImage, change: Change): boolean {
  while (change.restBytes > 0) {
    const count = opened.access.clear(change, 65536);
    if (count === 0) return false;
    change.doneBytes += count;
  }
  return true;
}

Deno.test("a discard of a raw image frees the range and keeps the size", () => {
  using folder = new TempDirectory();
  const path = rawFile(folder);
  using opened = new OpenedImage(path, raw, { readOnly: false });
  const before = Deno.statSync(path).blocks ?? 0;
  assert(clear(opened, new Change().ask(ChangeKind.Discard, 65536, 131072)));
  assertEquals(readRange(path, 65536, 131072), new Uint8Array(131072));
  assertEquals(readRange(path, 0, 16), new Uint8Array(16).fill(7));
  assertEquals(Deno.statSync(path).size, SIZE);
  assert((Deno.statSync(path).blocks ?? 0) < before);
});

for (const keepAllocated of [false, true]) {
  Deno.test(`clearing a raw image zeroes a range (keepAllocated: ${keepAllocated})`, () => {
    using folder = new TempDirectory();
    const path = rawFile(folder);
    using opened = new OpenedImage(path, raw, { readOnly: false });
    const change = new Change().ask(ChangeKind.WriteZeroes, 1000, 70_000);
    change.keepAllocated = keepAllocated;
    // That it cannot be done is an answer, too: the zeros are written then.
    if (!clear(opened, change)) return;
    assertEquals(readRange(path, 999, 70_002), zerosBetweenSevens(70_000));
  });
}

function zerosBetweenSevens(count: number): Uint8Array {
  const bytes = new Uint8Array(count + 2);
  bytes[0] = bytes[count + 1] = 7;
  return bytes;
}
