/**
 * Archives are no images: what makes them is recognised.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { archiveIn } from "../../src/disk/archives.ts";
import { foundFormat } from "../../src/disk/found_format.ts";
import { driverFor } from "../../src/disk/probe.ts";
import { ImageFile } from "../../src/storage/image_file.ts";
import { O_RDONLY, openFile } from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

function lookInto<T>(path: string, look: (file: ImageFile) => T): T {
  using file = new ImageFile(openFile(path, O_RDONLY), path);
  return look(file);
}

const TAR = "is a tar archive (tar -xf takes the image out of it)";

/** How tar makes an archive of a file called disk, and what is said of it. */
const MADE: readonly [name: string, args: readonly string[], said: string][] = [
  ["a.tar", ["--format=gnu", "-cf"], TAR],
  ["posix.tar", ["--format=posix", "-cf"], TAR],
  ["ustar.tar", ["--format=ustar", "-cf"], TAR],
  ["a.ova", ["-cf"], TAR.replace("a tar archive", "an OVA, a tar archive")],
  ["a.tar.gz", ["-czf"], TAR],
  ["a.tgz", ["-czf"], TAR],
  ["a.tar.xz", ["-cJf"], TAR],
  ["a.TAR.BZ2", ["-cjf"], TAR],
];

for (const [name, args, said] of MADE) {
  oracleTest(`archiveIn() knows what tar makes: ${name}`, ["tar", "bzip2", "xz"], async () => {
    using folder = new TempDirectory();
    Deno.writeTextFileSync(folder.file("disk"), "a disk");
    const path = folder.file(name);
    await must("tar", "-C", folder.path, ...args, path, "disk");
    assertEquals(lookInto(path, archiveIn), said);
    const refusal = `it ${said}: -t RAW takes it as it is`;
    assertThrows(() => lookInto(path, (file) => driverFor("auto", file)), RangeError, refusal);
    assertEquals(foundFormat(path, "auto"), "auto");
    assertEquals(lookInto(path, (file) => driverFor("RAW", file)).name, "RAW");
  });
}

const OTHERS: readonly [said: string | undefined, name: string, text: string][] = [
  ["is a ZIP archive (unzip takes the image out of it)", "a.zip", "PK\x03\x04"],
  ["is a 7z archive (7z x takes the image out of it)", "a.7z", "7z\xbc\xaf\x27\x1c"],
  ["is a RAR archive (unrar x takes the image out of it)", "a.rar", "Rar!\x1a\x07\x01\0"],
  ["is a backup of Proxmox VE (vma extract takes the image out of it)", "a", "VMA\0\0\0\0\x01"],
  ["is a WIM archive (wimapply takes the image out of it)", "a", "MSWIM\0\0\0"],
  [undefined, "disk.tar", ""],
  [undefined, "disk.tar.gz", "no gzip"],
  [undefined, "disk", "\x1f\x8b\x08"],
];

for (const [said, name, text] of OTHERS) {
  Deno.test(`archiveIn() says of ${JSON.stringify(text)} in ${name}: ${said}`, () => {
    using folder = new TempDirectory();
    const path = folder.file(name);
    const bytes = new Uint8Array(1024);
    bytes.set(Uint8Array.from(text, (character) => character.charCodeAt(0)));
    Deno.writeFileSync(path, bytes);
    assertEquals(lookInto(path, archiveIn), said);
  });
}

Deno.test("archiveIn() takes an image that is known by its end for that, however its disk begins", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk.vhd");
  const bytes = new Uint8Array(4096);
  bytes.set(new TextEncoder().encode("PK\x03\x04"));
  bytes.set(new TextEncoder().encode("conectix"), 4096 - 512);
  Deno.writeFileSync(path, bytes);
  assertEquals(lookInto(path, archiveIn), undefined);
});
