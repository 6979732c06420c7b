// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { makeNode } from "../../../src/kernel/make_node.ts";
import { EEXIST, ENOENT } from "../../../src/sys/errno.ts";
import { fileStatus } from "../../../src/sys/files.ts";
import { openLibc } from "../../../src/sys/libc.ts";
import { rootTest, TempDirectory } from "../../support/tools.ts";

openLibc();

rootTest("makeNode() makes nodes of both kinds, with numbers of any size", [], () => {
  using folder = new TempDirectory();
  const nodes = [
    { path: folder.file("null"), kind: "character", number: { major: 1, minor: 3 } },
    { path: folder.file("disk"), kind: "block", number: { major: 259, minor: 70_000 } },
  ] as const;
  for (const node of nodes) {
    assertEquals(makeNode(node), 0);
    const { kind, specialMajor, specialMinor, mode } = fileStatus(node.path);
    assertEquals([kind, specialMajor, specialMinor], [
      node.kind,
      node.number.major,
      node.number.minor,
    ]);
    assertEquals(mode & 0o777, 0o600);
    assertEquals(makeNode(node), EEXIST);
  }
  assertEquals(makeNode({ ...nodes[0], path: folder.file("no/null") }), ENOENT);
});
