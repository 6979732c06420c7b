// @ts-types="../../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import type { ImageAccess } from "../../../src/disk/image_access.ts";
import { openImage, openSharedImage } from "../../../src/disk/open.ts";
import { recognise } from "../../../src/disk/probe.ts";
import { isPropertyList } from "../../../src/format/sparsebundle/mark.ts";
import { sparsebundle } from "../../../src/format/sparsebundle/mod.ts";
import {
  ImageFormatError,
  RelatedFileError,
  UnsupportedFeatureError,
} from "../../../src/image/errors.ts";
import { readDisk } from "../../support/disk.ts";
import { randomNumbers } from "../../support/images.ts";
import { TempDirectory } from "../../support/tools.ts";
import { openImageFile } from "../opened_image.ts";
import { BAND, buildBundle, type BundleParts, propertyList } from "./bundle_builder.ts";

const REQUEST = { format: "SPARSEBUNDLE", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };

function opened(folder: TempDirectory, parts: BundleParts): ImageAccess {
  const file = openImageFile(buildBundle(folder.file("disk.sparsebundle"), parts));
  try {
    return openImage(file, REQUEST);
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

function byteAt(access: ImageAccess, offset: number): number {
  return readDisk(access, offset, 1)[0] ?? -1;
}

const BANDS = {
  "0": { fill: 1 },
  "1f": { fill: 2, lengthBytes: 512 },
  "63": { fill: 3 },
  "64": { fill: 9 },
  "02": { fill: 9 },
  "A": { fill: 9 },
  "b.tmp": { fill: 9 },
  "c": { fill: 9, lengthBytes: 0 },
} as const;

Deno.test("sparsebundle reads bands by their numbers, and zeros where there is none, or its end", () => {
  using folder = new TempDirectory();
  using access = opened(folder, { bands: BANDS });
  const sizeBytes = 100 * BAND - 512;
  assertEquals(access.sizeBytes, sizeBytes);
  const expected = new Uint8Array(sizeBytes);
  expected.fill(1, 0, BAND);
  expected.fill(2, 31 * BAND, 31 * BAND + 512);
  expected.fill(3, 99 * BAND);
  assertEquals(readDisk(access, 0, sizeBytes), expected);
  assertEquals(access.files.map(({ path }) => path.slice(path.lastIndexOf("/") + 1)), [
    "Info.plist",
    "0",
    "1f",
    "63",
  ]);
});

Deno.test("sparsebundle is opened once more by another thread with the same bands", () => {
  using folder = new TempDirectory();
  using access = opened(folder, { bands: BANDS });
  const { sharedFiles, sharedPieces } = access;
  Deno.removeSync(folder.file("disk.sparsebundle"), { recursive: true });
  using again = openSharedImage({ image: REQUEST, files: sharedFiles, pieces: sharedPieces });
  assertEquals([byteAt(again, 0), byteAt(again, 31 * BAND), byteAt(again, 32 * BAND)], [1, 2, 0]);
});

Deno.test("sparsebundle tells the size of disk and bands, and is found by its type", () => {
  using folder = new TempDirectory();
  using file = openImageFile(buildBundle(folder.file("x")));
  assertEquals(sparsebundle.info?.(file), {
    format: "sparsebundle",
    sizeBytes: 100 * BAND - 512,
    clusterBytes: BAND,
  });
  assertEquals(recognise(file), { name: "SPARSEBUNDLE", end: "start" });
});

const DAMAGED: readonly [message: string, parts: BundleParts][] = [
  ["this is no property list", { type: "com.apple.diskimage.other" }],
  ["bands of 0 bytes are not possible", { bandBytes: 0 }],
  ["bands of 511 bytes are not possible", { bandBytes: 511 }],
  ["bands of 99999999999999999999 bytes", { bandBytes: "99999999999999999999" }],
  ["it has no number for band-size", { bandBytes: -512 }],
  ["it has no number for size", { sizeBytes: "1e9" }],
];

for (const [message, parts] of DAMAGED) {
  Deno.test(`sparsebundle refuses damage: ${message}`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, parts), ImageFormatError, message);
  });
}

Deno.test("sparsebundle refuses by name: encryption, disks of 8 PiB", () => {
  using folder = new TempDirectory();
  const encrypted = { token: "encrcdsa" };
  assertThrows(() => opened(folder, encrypted), UnsupportedFeatureError, "with encryption are");
  const huge = { sizeBytes: `${2n ** 63n}`, token: "" };
  assertThrows(() => opened(folder, huge), UnsupportedFeatureError, "8 PiB");
});

Deno.test("sparsebundle fails where its bands cannot be found: they are not taken for zeros", () => {
  using folder = new TempDirectory();
  const list = buildBundle(folder.file("x"));
  Deno.removeSync(folder.file("x/bands"));
  using file = openImageFile(list);
  assertThrows(() => openImage(file, REQUEST), RelatedFileError, "No such file");
  Deno.writeTextFileSync(folder.file("x/bands"), "no folder");
  assertThrows(() => openImage(file, REQUEST), RelatedFileError, "Not a directory");
});

Deno.test("isPropertyList() survives whatever is in a list, and so does reading it", () => {
  using folder = new TempDirectory();
  const path = folder.file("Info.plist");
  const random = randomNumbers(26);
  const original = new TextEncoder().encode(propertyList());
  for (let i = 0; i < 2000; i++) {
    const bytes = original.slice(0, random() < 0.2 ? random() * original.length : undefined);
    for (let n = 0; n < 1 + random() * 4; n++) {
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    }
    isPropertyList(bytes);
    Deno.writeFileSync(path, bytes);
    using file = openImageFile(path);
    try {
      sparsebundle.info?.(file);
    } catch (error) {
      const isTyped = error instanceof ImageFormatError || error instanceof UnsupportedFeatureError;
      if (!isTyped) throw error;
    }
  }
});
