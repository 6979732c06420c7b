// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { fileSystemAt, fileSystemOf, SYSFS_MAGIC } from "../../src/sys/file_systems.ts";
import { O_RDONLY, openFile } from "../../src/sys/files.ts";
import { openLibc } from "../../src/sys/libc.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

const PROC_SUPER_MAGIC = 0x9fa0;

oracleTest("fileSystemAt() and fileSystemOf() say of its room what df does", ["df"], async () => {
  using folder = new TempDirectory();
  const [, free] = (await must("df", "--output=avail", "-B1", folder.path)).split("\n");
  using fd = openFile(folder.path, O_RDONLY);
  for (const found of [fileSystemAt(folder.path), fileSystemOf(fd.number)]) {
    // Others write meanwhile.
    assert(Math.abs((found?.roomBytes ?? 0) - Number(free)) <= Number(free) / 10);
  }
});

Deno.test("fileSystemAt() tells which file system lies there", () => {
  assertEquals(fileSystemAt("/proc/self")?.type, PROC_SUPER_MAGIC);
  assertEquals(fileSystemAt("/sys")?.type ?? SYSFS_MAGIC, SYSFS_MAGIC);
  assertEquals(fileSystemAt("/proc/nowhere"), undefined);
});
