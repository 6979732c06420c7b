// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { ImageFile } from "../../src/storage/image_file.ts";
import { ImageFormatError } from "../../src/image/errors.ts";
import { inspect } from "../../src/disk/inspect.ts";
import { openImage } from "../../src/disk/open.ts";
import { DRIVERS } from "../../src/disk/registry.ts";
import { raw } from "../../src/format/raw/mod.ts";
import { rawHint } from "../../src/disk/format_hints.ts";
import { O_RDONLY, openFile } from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const REQUEST = { readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };

/** A file with these texts at its start and at its end. */
class Marked implements Disposable {
  readonly #folder = new TempDirectory();
  readonly path = this.#folder.file("image");

  constructor({ head = "", tail = "" }: { readonly head?: string; readonly tail?: string }) {
    const bytes = new Uint8Array(4096);
    bytes.set(bytesOf(head));
    bytes.set(bytesOf(tail), bytes.length - 512);
    Deno.writeFileSync(this.path, bytes);
  }

  open(): ImageFile {
    return new ImageFile(openFile(this.path, O_RDONLY), this.path);
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

const VDI = `${"\0".repeat(64)}\x7f\x10\xda\xbe`;
const KOLY = "koly\0\0\0\x04\0\0\x02\0";

const TAR = `${"\0".repeat(257)}ustar\x0000`;

const HINTS: readonly [hint: string | undefined, head: string, tail: string][] = [
  ["it begins like a QCOW image but is attached as RAW (see --file-fmt-type)", "QFI\xfb", ""],
  ["it begins like a VDI image but is attached as RAW (see --file-fmt-type)", VDI, ""],
  ["it begins like a VMDK image but is attached as RAW (see --file-fmt-type)", "KDMV", ""],
  [
    "it begins like an ASIF image, which is not supported, and is attached as RAW",
    "shdw\0\0\0\x01\0\0\x02\0",
    "",
  ],
  ["it ends like a VHD image but is attached as RAW (see --file-fmt-type)", "", "conectix"],
  ["it ends like a DMG image but is attached as RAW (see --file-fmt-type)", "", KOLY],
  ["it is compressed with bzip2 and attached as it is", "BZh91AY&SY", ""],
  ["it begins like an XZ image but is attached as RAW (see --file-fmt-type)", "\xfd7zXZ\0", ""],
  ["it is a ZIP archive (unzip takes the image out of it) and attached as it is", "PK\x03\x04", ""],
  ["it ends like a VHD image but is attached as RAW (see --file-fmt-type)", TAR, "conectix"],
  [undefined, "\xeb\x63\x90", "\x55\xaa"],
  [undefined, "LUKS\xba\xbe", ""],
];

for (const [hint, head, tail] of HINTS) {
  Deno.test(`rawHint() says: ${hint ?? "nothing of what looks like a disk"}`, () => {
    using marked = new Marked({ head, tail });
    using file = marked.open();
    assertEquals(rawHint(file), hint);
  });
}

Deno.test("rawHint() knows a flat file by its name, if there is an image that it can be a piece of", () => {
  using folder = new TempDirectory();
  const hintFor = (name: string): string | undefined => {
    const path = folder.file(name);
    Deno.writeFileSync(path, new Uint8Array(4096));
    using file = new ImageFile(openFile(path, O_RDONLY), path);
    return rawHint(file);
  };
  assertEquals(hintFor("disk-flat.vmdk"), undefined);
  const descriptor = folder.file("disk.vmdk");
  Deno.writeTextFileSync(descriptor, "# Disk DescriptorFile\nversion=1\n");
  for (const name of ["disk-flat.vmdk", "disk-f001.vmdk"]) {
    assertEquals(hintFor(name), `it looks like a piece of ${descriptor}, and is attached as RAW`);
  }
  assertEquals(hintFor("disk-raw.vmdk"), undefined);
  Deno.writeFileSync(descriptor, new Uint8Array(512));
  assertEquals(hintFor("disk-flat.vmdk"), undefined);
});

const WRONG: readonly [message: string, format: string, head: string, tail: string][] = [
  ["this is no QCOW image: it begins like a VDI image (see --file-fmt-type)", "QCOW", VDI, ""],
  ["this is no QCOW image: it ends like a VHD image (see --file", "QCOW", "", "conectix"],
  [
    "this is no LUKS volume: it begins like a QCOW1 image (see --file-fmt-type)",
    "LUKS",
    "QFI\xfb\0\0\0\x01",
    "",
  ],
  ["this is no QCOW image: it begins like a VMDK image", "QCOW1", "KDMV", ""],
  ["this is no QCOW image: it is compressed with bzip2", "QCOW", "BZh91AY&SY", ""],
  ["this is no QCOW image: it is a tar archive (tar -xf takes", "QCOW", TAR, ""],
];

for (const [message, format, head, tail] of WRONG) {
  Deno.test(`openImage() and inspect() say of a wrong format: ${message}`, () => {
    using marked = new Marked({ head, tail });
    using file = marked.open();
    const request = { ...REQUEST, format };
    assertThrows(() => openImage(file, request), ImageFormatError, message);
    const options = { request, ignoreLocks: false };
    assertThrows(() => inspect(marked.path, options), ImageFormatError, message);
  });
}

for (const { name } of DRIVERS.filter((driver) => driver !== raw)) {
  Deno.test(`openImage() says what a file is that is taken for ${name}`, () => {
    const [head, like] = name === "VDI"
      ? ["QFI\xfb\0\0\0\x03", "a QCOW image"]
      : [VDI, "a VDI image"];
    using marked = new Marked({ head });
    using file = marked.open();
    const request = { ...REQUEST, format: name };
    const message = `: it begins like ${like} (see --file-fmt-type)`;
    assertThrows(() => openImage(file, request), ImageFormatError, message);
    const options = { request, ignoreLocks: false };
    assertThrows(() => inspect(marked.path, options), ImageFormatError, message);
  });
}

Deno.test("openImage() leaves an error alone where the format is right, or nothing is known", () => {
  using damaged = new Marked({ head: "QFI\xfb\0\0\0\x03", tail: "conectix" });
  using damagedFile = damaged.open();
  const request = { ...REQUEST, format: "QCOW" };
  const error = assertThrows(() => openImage(damagedFile, request), ImageFormatError);
  assertEquals(error.message.includes("like"), false, error.message);
  using unknown = new Marked({ head: "nothing" });
  using unknownFile = unknown.open();
  assertThrows(() => openImage(unknownFile, request), ImageFormatError, "this is no QCOW image");
});
