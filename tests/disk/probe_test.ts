// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ImageFile } from "../../src/storage/image_file.ts";
import { COMPRESSED_FILES, UNSUPPORTED_FORMATS } from "../../src/disk/known_formats.ts";
import { DRIVERS } from "../../src/disk/registry.ts";
import { findMark } from "../../src/disk/marks.ts";
import { driverFor, isMarkedAs, probeFormat, recognise } from "../../src/disk/probe.ts";
import { luks } from "../../src/format/luks/mod.ts";
import { qcow } from "../../src/format/qcow/mod.ts";
import { qcow1 } from "../../src/format/qcow1/mod.ts";
import { raw } from "../../src/format/raw/mod.ts";
import { O_RDONLY, openFile } from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

function probe(path: string): string | undefined {
  using file = new ImageFile(openFile(path, O_RDONLY), path);
  return probeFormat(file);
}

/** What `look` finds in a file of these bytes, one for each character, and zeros. */
function inFile<T>(text: string, look: (file: ImageFile) => T, padTo = 1024): T {
  using folder = new TempDirectory();
  const path = folder.file("image");
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const padded = new Uint8Array(Math.max(padTo, bytes.length));
  padded.set(bytes);
  Deno.writeFileSync(path, padded);
  using file = new ImageFile(openFile(path, O_RDONLY), path);
  return look(file);
}

function probeBytes(text: string, padTo = 1024): string | undefined {
  return inFile(text, probeFormat, padTo);
}

Deno.test("probeFormat() names the formats by their first bytes", () => {
  assertEquals(probeBytes("QFI\xfb\0\0\0\x03"), "QCOW");
  assertEquals(probeBytes("QFI\xfb\0\0\0\x02"), "QCOW");
  assertEquals(probeBytes("QFI\xfb\0\0\0\x01"), "QCOW1");
  assertEquals(probeBytes("KDMV"), "VMDK");
  assertEquals(probeBytes("vhdxfile"), "VHDX");
  assertEquals(probeBytes("\0".repeat(64) + "\x7f\x10\xda\xbe"), "VDI");
});

Deno.test("probeFormat() knows descriptors of VMDK that begin with comments and blank lines", () => {
  for (const start of ["# Disk DescriptorFile", "version=1", "# x\r\n\r\n  \n#y\nversion = 3 \r"]) {
    assertEquals(probeBytes(`${start}\nCID=0\n`), "VMDK");
  }
  for (const start of ["version=4", "# x", "#x\nversion=1.0", "\0\nversion=1", "x\nversion=1"]) {
    assertEquals(probeBytes(`${start}\nCID=0\n`), undefined);
  }
});

Deno.test("probeFormat() finds marks at the end of the file", () => {
  assertEquals(probeBytes("\0".repeat(4096 - 512) + "conectix" + "\0".repeat(504)), "VHD");
  assertEquals(probeBytes("conectix", 512), "VHD");
});

Deno.test("probeFormat() knows nothing of raw, short and empty files", () => {
  assertEquals(probeBytes("\0".repeat(2048)), undefined);
  assertEquals(probeBytes("LUKS\xba\xbe"), undefined);
  assertEquals(probeBytes("QFI", 0), undefined);
  assertEquals(probeBytes("", 0), undefined);
  assertEquals(probeBytes("QFI\xfb", 0), "QCOW");
});

for (const { name, magics } of [...UNSUPPORTED_FORMATS, ...DRIVERS]) {
  for (const { offset, bytes } of magics) {
    const end = offset < 0 ? "end" : "start";
    Deno.test(`recognise() finds ${name} by its mark at ${offset}`, () => {
      const mark = String.fromCharCode(...bytes);
      const text = "\0".repeat(offset < 0 ? 2048 + offset : offset) + mark;
      assertEquals(inFile(text, recognise, 2048), { name, end });
    });
  }
}

const FOOTER = "\0".repeat(1024 - 512) + "conectix";

Deno.test("recognise() tells a mark at the start before one at the end", () => {
  assertEquals(inFile(`QFI\xfb\0\0\0\x03${FOOTER.slice(8)}`, recognise), {
    name: "QCOW",
    end: "start",
  });
  assertEquals(inFile(FOOTER, recognise), { name: "VHD", end: "end" });
});

Deno.test("recognise() tells a disk image whose first bytes are compressed by the mark at its end", () => {
  const koly = "koly\0\0\0\x04\0\0\x02\0" + "\0".repeat(500);
  for (const start of ["\xfd7zXZ\0", "\x1f\x8b\x08", "\x28\xb5\x2f\xfd"]) {
    const image = start.padEnd(1024, "\0") + koly;
    assertEquals(inFile(image, recognise), { name: "DMG", end: "end" });
  }
});

Deno.test("recognise() takes the longest of several marks", () => {
  const both = "QFI\xfb\0\0\0\x01" + "\0".repeat(56) + "\x7f\x10\xda\xbe";
  assertEquals(inFile(both, recognise), { name: "QCOW1", end: "start" });
});

Deno.test("findMark() looks for those that are asked for", () => {
  const bzip2 = "BZh91AY&SY";
  assertEquals(inFile(bzip2, (file) => findMark(file, COMPRESSED_FILES))?.name, "bzip2");
  assertEquals(inFile(bzip2, recognise), undefined);
});

Deno.test("driverFor() takes the driver of the version that the file has", () => {
  for (const name of ["QCOW", "qcow2", "auto"]) {
    assertStrictEquals(inFile("QFI\xfb\0\0\0\x01", (file) => driverFor(name, file)), qcow1);
    assertStrictEquals(inFile("QFI\xfb\0\0\0\x03", (file) => driverFor(name, file)), qcow);
  }
  assertStrictEquals(inFile("QFI\xfb\0\0\0\x03", (file) => driverFor("QCOW1", file)), qcow1);
});

Deno.test("driverFor() believes what is said, but for auto, which goes by the mark", () => {
  assertStrictEquals(inFile("KDMV", (file) => driverFor("RAW", file)), raw);
  assertStrictEquals(inFile("KDMV", (file) => driverFor("LUKS", file)), luks);
  assertStrictEquals(inFile("", (file) => driverFor("auto", file)), raw);
  assertThrows(
    () => inFile("shdw\0\0\0\x01\0\0\x02\0", (file) => driverFor("auto", file)),
    RangeError,
    "ASIF images are not supported",
  );
});

Deno.test("isMarkedAs() looks for the marks of one format", () => {
  assertEquals(inFile("QFI\xfb\0\0\0\x01", (file) => isMarkedAs(qcow, file)), true);
  assertEquals(inFile("KDMV", (file) => isMarkedAs(qcow, file)), false);
  assertEquals(inFile("", (file) => isMarkedAs(raw, file)), false);
});

Deno.test("probeFormat() finds descriptors that begin with comments, blank lines or blanks", () => {
  const lines = ["# made by somebody", "", "  version = 1", 'createType="monolithicFlat"', ""];
  assertEquals(probeBytes(lines.join("\n"), 0), "VMDK");
  assertEquals(probeBytes(lines.join("\r\n"), 0), "VMDK");
  assertEquals(probeBytes("# a script\n\nversion() { :; }\n", 0), undefined);
});

const BY_QEMU: readonly [name: string, format: string, options: string][] = [
  ["QCOW", "qcow2", "compat=1.1"],
  ["QCOW", "qcow2", "compat=0.10"],
  ["QCOW1", "qcow", ""],
  ["QED", "qed", ""],
  ["VDI", "vdi", ""],
  ["VMDK", "vmdk", ""],
  ["VMDK", "vmdk", "subformat=twoGbMaxExtentSparse"],
  ["VMDK", "vmdk", "subformat=monolithicFlat"],
  ["VMDK", "vmdk", "subformat=twoGbMaxExtentFlat"],
  ["VMDK", "vmdk", "subformat=streamOptimized"],
  ["VHDX", "vhdx", ""],
  ["VHD", "vpc", "subformat=dynamic"],
  ["VHD", "vpc", "subformat=fixed"],
  ["PARALLELS", "parallels", ""],
];

for (const [name, format, options] of BY_QEMU) {
  const title = `probeFormat() names what qemu makes: ${format} ${options}`.trim();
  oracleTest(title, ["qemu-img"], async () => {
    using folder = new TempDirectory();
    const path = folder.file("image");
    const args = options === "" ? [] : ["-o", options];
    await must("qemu-img", "create", "-q", "-f", format, ...args, path, "4M");
    assertEquals(probe(path), name);
  });
}
