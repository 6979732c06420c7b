// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { formatOldLine } from "../../../src/cli/listing/old_line.ts";

const LINE = { name: "/dev/loop0", backingFile: "/img", offset: "0", sizeLimit: "0" };

Deno.test("formatOldLine() says what losetup says", () => {
  assertEquals(
    formatOldLine({ ...LINE, backingDevice: 39, backingInode: "4" }),
    "/dev/loop0: [0039]:4 (/img)\n",
  );
  assertEquals(
    formatOldLine({ ...LINE, backingDevice: 65024, backingInode: "4", offset: "512" }),
    "/dev/loop0: [65024]:4 (/img), offset 512\n",
  );
  assertEquals(formatOldLine({ ...LINE, sizeLimit: "1" }), "/dev/loop0: []: (/img), sizelimit 1\n");
});

Deno.test("formatOldLine() has the format at the end", () => {
  assertEquals(
    formatOldLine({ ...LINE, offset: "1", sizeLimit: "2", format: "QCOW" }),
    "/dev/loop0: []: (/img), offset 1, sizelimit 2, file-format QCOW\n",
  );
});
