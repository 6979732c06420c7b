// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { diskPath } from "../../src/fuse/disk_path.ts";

Deno.test("diskPath() is the image's path", () => {
  assertEquals(diskPath("/var/lib/disk.qcow2"), "/var/lib/disk.qcow2");
  assertEquals(diskPath("/disk"), "/disk");
});

Deno.test("diskPath() is the end of a path that the kernel could not tell", () => {
  for (const part of ["/" + "d".repeat(200), "/" + "日".repeat(80)]) {
    const path = `${part.repeat(30)}/disk.qcow2`;
    const short = diskPath(path);
    assert(new TextEncoder().encode(short).length < 4090);
    assert(path.endsWith(short) && short.startsWith(part) && short.length > 1000);
  }
});
