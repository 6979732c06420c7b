// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { ImageFile } from "../../src/storage/image_file.ts";
import { foreignMagic, probeFormat } from "../../src/disk/probe.ts";
import { O_RDONLY, openFile } from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

function probe(path: string): string | undefined {
  using file = new ImageFile(openFile(path, O_RDONLY), path);
  assertEquals(foreignMagic(file), probeFormat(file));
  return probeFormat(file);
}

function probeBytes(text: string, padTo = 1024): string | undefined {
  using folder = new TempDirectory();
  const path = folder.file("image");
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const padded = new Uint8Array(Math.max(padTo, bytes.length));
  padded.set(bytes);
  Deno.writeFileSync(path, padded);
  return probe(path);
}

Deno.test("probeFormat() names the formats by their first bytes", () => {
  assertEquals(probeBytes("QFI\xfb\0\0\0\x03"), "QCOW");
  assertEquals(probeBytes("QFI\xfb\0\0\0\x02"), "QCOW");
  assertEquals(probeBytes("QFI\xfb\0\0\0\x01"), "QCOW1");
  assertEquals(probeBytes("KDMV"), "VMDK");
  assertEquals(probeBytes("vhdxfile"), "VHDX");
  assertEquals(probeBytes("\0".repeat(64) + "\x7f\x10\xda\xbe"), "VDI");
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

const BY_QEMU: readonly [name: string, format: string, options: string][] = [
  ["QCOW", "qcow2", "compat=1.1"],
  ["QCOW", "qcow2", "compat=0.10"],
  ["QCOW1", "qcow", ""],
  ["QED", "qed", ""],
  ["VDI", "vdi", ""],
  ["VMDK", "vmdk", ""],
  ["VMDK", "vmdk", "subformat=twoGbMaxExtentSparse"],
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
