// @ts-types="../support/std_assert.d.ts"
import { assertEquals, assertStrictEquals } from "@std/assert";
import { luks } from "../../src/format/luks/mod.ts";
import { qcow } from "../../src/format/qcow/mod.ts";
import { raw } from "../../src/format/raw/mod.ts";
import { FORMAT_NAMES, FORMATS } from "../../src/image/formats.ts";
import { DRIVERS, findDriver } from "../../src/disk/registry.ts";

Deno.test("DRIVERS ends with RAW, which like LUKS has no mark, so that it is never guessed", () => {
  assertStrictEquals(DRIVERS.at(-1), raw);
  for (const driver of DRIVERS) {
    const isGuessed = driver.magics.length > 0 || driver.isTextOf !== undefined;
    assertEquals(isGuessed, driver !== raw && driver !== luks, driver.name);
  }
});

Deno.test("DRIVERS have distinct names in capitals", () => {
  const names = DRIVERS.flatMap((driver) => [driver.name, ...driver.aliases]);
  assertEquals(new Set(names).size, names.length);
  for (const name of names) assertEquals(name, name.toUpperCase());
});

Deno.test("findDriver() takes names and aliases in any case", () => {
  for (const name of ["QCOW", "qcow", "Qcow2", "QCOW2"]) assertStrictEquals(findDriver(name), qcow);
  assertStrictEquals(findDriver("raw"), raw);
  for (const name of ["", "qcow3", "auto", "COW"]) assertEquals(findDriver(name), undefined);
});

Deno.test("FORMAT_NAMES gives the formats' own spelling", () => {
  assertEquals(FORMAT_NAMES.names, [
    "QCOW",
    "QCOW1",
    "QED",
    "VDI",
    "VHD",
    "VHDX",
    "VMDK",
    "PARALLELS",
    "BOCHS",
    "CLOOP",
    "ANDROID-SPARSE",
    "DMG",
    "SPARSEIMAGE",
    "SPARSEBUNDLE",
    "LUKS",
    "EWF",
    "GZIP",
    "XZ",
    "ZSTD",
    "RAW",
  ]);
  assertEquals(FORMAT_NAMES.canonical("qcow2"), "QCOW");
  assertEquals(FORMAT_NAMES.canonical("cow"), undefined);
});

Deno.test("FORMATS are those of the drivers, in their order", () => {
  assertEquals(FORMATS.map(({ name }) => name), DRIVERS.map(({ name }) => name));
});
