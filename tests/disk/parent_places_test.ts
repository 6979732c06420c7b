// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { foldersToSearch, placesOfFiles, placesOfNames } from "../../src/disk/parent_places.ts";
import type { RecordedPath } from "../../src/image/identity.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const FOLDER = "/vm/Snapshots";

function paths(...names: RecordedPath[]): string[] {
  return placesOfNames(names, FOLDER).map(({ path }) => path);
}

Deno.test("foldersToSearch() are the image's own and the one above", () => {
  assertEquals(foldersToSearch(FOLDER), [FOLDER, "/vm"]);
  assertEquals(foldersToSearch("/vm"), ["/vm", "/"]);
  assertEquals(foldersToSearch("/"), ["/"]);
});

const NAMES: readonly [kind: RecordedPath["kind"], path: string, places: string[]][] = [
  ["plain", "base.vhd", ["/vm/Snapshots/base.vhd", "/vm/base.vhd"]],
  ["plain", "../base.vhd", [
    "/vm/Snapshots/../base.vhd",
    "/vm/Snapshots/base.vhd",
    "/vm/base.vhd",
  ]],
  ["plain", "/other/a:b", ["/other/a:b", "/vm/Snapshots/a:b", "/vm/a:b"]],
  ["plain", "a\\b", ["/vm/Snapshots/a\\b", "/vm/a\\b"]],
  ["windows", "base.vhd", ["/vm/Snapshots/base.vhd", "/vm/base.vhd"]],
  ["windows", ".\\sub\\base.vhd", [
    "/vm/Snapshots/./sub/base.vhd",
    "/vm/Snapshots/base.vhd",
    "/vm/base.vhd",
  ]],
  ["windows", "..\\base.vhd", [
    "/vm/Snapshots/../base.vhd",
    "/vm/Snapshots/base.vhd",
    "/vm/base.vhd",
  ]],
  ["windows", "C:\\disks\\base.vhd", ["/vm/Snapshots/base.vhd", "/vm/base.vhd"]],
  ["windows", "\\\\?\\C:\\base.vhd", ["/vm/Snapshots/base.vhd", "/vm/base.vhd"]],
  ["windows", "\\\\server\\share\\base.vhd", ["/vm/Snapshots/base.vhd", "/vm/base.vhd"]],
  ["windows", "\\base.vhd", ["/vm/Snapshots/base.vhd", "/vm/base.vhd"]],
  ["windows", "C:\\", []],
  ["windows", "..", ["/vm/Snapshots/.."]],
  ["plain", "", []],
  ["plain", "a\0b", []],
  ["windows", "a\ud800b", []],
];

for (const [kind, path, places] of NAMES) {
  Deno.test(`placesOfNames() of the ${kind} path ${JSON.stringify(path)}`, () => {
    assertEquals(paths({ kind, path }), places);
  });
}

Deno.test("placesOfNames() tries what is recorded before bare names, and each place once", () => {
  const names = [{ kind: "windows", path: ".\\a" }, { kind: "windows", path: "D:\\a" }] as const;
  assertEquals(paths(...names), ["/vm/Snapshots/./a", "/vm/Snapshots/a", "/vm/a"]);
});

Deno.test("placesOfFiles() finds files by their extension, the image's own folder first", () => {
  using folder = new TempDirectory();
  const own = folder.file("own");
  Deno.mkdirSync(own);
  for (const name of ["own/z.vdi", "own/A.VDI", "own/vdi", "own/x.vdi.bak", "base.vdi"]) {
    Deno.writeTextFileSync(folder.file(name), "");
  }
  const found = placesOfFiles(own, ["vdi"]);
  assertEquals(found, [
    { path: `${own}/A.VDI`, folder: own },
    { path: `${own}/z.vdi`, folder: own },
    { path: folder.file("base.vdi"), folder: folder.path },
  ]);
});
