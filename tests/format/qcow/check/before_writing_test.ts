// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals, assertLess } from "@std/assert";
import { refuseCutOff } from "../../../../src/format/qcow/check/before_writing.ts";
import { readHeader } from "../../../../src/format/qcow/header.ts";
import { ImageFile } from "../../../../src/storage/image_file.ts";
import { O_RDONLY, openFile } from "../../../../src/sys/files.ts";
import { libc, openLibc } from "../../../../src/sys/libc.ts";
import { must, oracleTest, TempDirectory } from "../../../support/tools.ts";

openLibc();

oracleTest(
  "refuseCutOff() reads little of a whole image, however large",
  ["qemu-img"],
  async () => {
    using folder = new TempDirectory();
    const path = folder.file("image");
    await must(
      "qemu-img",
      "create",
      "-q",
      "-f",
      "qcow2",
      "-o",
      "preallocation=metadata",
      path,
      "10G",
    );
    let readBytes = 0;
    const pread: ReturnType<typeof libc>["pread"] = (fd, address, count, offset) => {
      const done = libc().pread(fd, address, count, offset);
      readBytes += done;
      return done;
    };
    using file = new ImageFile(openFile(path, O_RDONLY), path, { calls: { ...libc(), pread } });
    const header = readHeader(file);
    readBytes = 0;
    refuseCutOff(file, header);
    assertLess(readBytes, 3 * 65536);
    assertEquals(file.sizeBytes > 10 * 2 ** 30, true);
  },
);
