// @ts-types="../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { qcow } from "../../src/format/qcow/mod.ts";
import { must, oracleTest, TempDirectory } from "../support/tools.ts";
import { OpenedImage } from "./opened_image.ts";

const HELLO = new URL("../../testdata/hello.qcow2", import.meta.url).pathname;

oracleTest("the file system in testdata/hello.qcow2 is sound", ["e2fsck", "debugfs"], async () => {
  using folder = new TempDirectory();
  using opened = new OpenedImage(HELLO, qcow);
  const path = folder.file("hello.raw");
  Deno.writeFileSync(path, opened.read(0, opened.image.sizeBytes));
  await must("/usr/sbin/e2fsck", "-fn", path);
  const text = await must("/usr/sbin/debugfs", "-R", "cat /hello.txt", path);
  assertEquals(text, "Hello from inside a QCOW image.\n");
});
