// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { constants, zstdCompressSync } from "node:zlib";
import { SEEK_FOOTER, SEEK_MAGIC } from "../../../src/format/zstd/layout.ts";
import { zstd } from "../../../src/format/zstd/mod.ts";
import { ImageFormatError } from "../../../src/image/errors.ts";
import { seededBytes } from "../../nbd/served_image.ts";
import { TempDirectory } from "../../support/tools.ts";
import { OpenedImage, openImageFile, sameBytes } from "../opened_image.ts";

const PARTS = [seededBytes(100_000, 1), new Uint8Array(70_000), seededBytes(1, 3)] as const;
const DISK = Uint8Array.from(PARTS.flatMap((part) => [...part]));

/** A frame that says how much it has, unless it shall not. */
function frame(content: Uint8Array, isSilent = false): Uint8Array {
  const params = { [constants.ZSTD_c_contentSizeFlag]: isSilent ? 0 : 1 };
  const options = { params, ...(isSilent ? {} : { pledgedSrcSize: content.length }) };
  return zstdCompressSync(content, options);
}

function skippable(content: Uint8Array, number = 0): Uint8Array {
  const bytes = new Uint8Array(8 + content.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x184d2a50 + number, true);
  view.setUint32(4, content.length, true);
  bytes.set(content, 8);
  return bytes;
}

/** Frames that say nothing, and the table that says it for them. */
function seekable(frames: readonly Uint8Array[]): Uint8Array {
  const table = new DataView(new ArrayBuffer(8 * frames.length + SEEK_FOOTER.sizeBytes));
  frames.forEach((bytes, at) => {
    table.setUint32(8 * at, bytes.length, true);
    table.setUint32(8 * at + 4, PARTS[at]?.length ?? 0, true);
  });
  const footer = { frames: frames.length, flags: 0, magic: SEEK_MAGIC };
  SEEK_FOOTER.write(table, 8 * frames.length, footer);
  return joined(...frames, skippable(new Uint8Array(table.buffer), 14));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function inFile<T>(bytes: Uint8Array, use: (path: string) => T): T {
  using folder = new TempDirectory();
  const path = folder.file("disk.zst");
  Deno.writeFileSync(path, bytes);
  return use(path);
}

function wholeDisk(path: string): Uint8Array {
  using opened = new OpenedImage(path, zstd);
  return opened.read(0, opened.image.sizeBytes);
}

function sizeOf(path: string): unknown {
  using file = openImageFile(path);
  return zstd.info?.(file).sizeBytes;
}

Deno.test("zstd reads frames one by one, and skips what is not for it", () => {
  const frames = PARTS.map((part) => frame(part));
  const files = [
    joined(...frames),
    joined(frames[0] ?? frame(DISK), skippable(new Uint8Array(5)), ...frames.slice(1)),
    seekable(PARTS.map((part) => frame(part, true))),
  ];
  for (const bytes of files) {
    assert(inFile(bytes, (path) => sameBytes(wholeDisk(path), DISK)));
    assertEquals(inFile(bytes, sizeOf), DISK.length);
  }
});

Deno.test("zstd knows no size where one frame does not say its own", () => {
  const frames = PARTS.map((part, at) => frame(part, at === 1));
  assertEquals(inFile(joined(...frames), sizeOf), undefined);
});

Deno.test("zstd refuses a file that is not whole, or has something else in it", () => {
  const bytes = joined(...PARTS.map((part) => frame(part)));
  const cases: readonly [message: string, bytes: Uint8Array][] = [
    ["the file ends too soon", bytes.subarray(0, bytes.length - 1)],
    ["the file ends too soon", bytes.subarray(0, 3000)],
    ["there is no frame", joined(bytes, new Uint8Array(20))],
  ];
  for (const [message, damaged] of cases) {
    assertThrows(() => inFile(damaged, sizeOf), ImageFormatError, message);
  }
});
