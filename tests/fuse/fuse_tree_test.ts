// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import fc from "fast-check";
import { FuseTree } from "../../src/fuse/fuse_tree.ts";
import { ATTR, ROOT_NODE } from "../../src/fuse/protocol.ts";

const DISK = { sizeBytes: 1_000_001, readOnly: false };

function bytes(name: string): Uint8Array {
  return new TextEncoder().encode(name);
}

function attributes(tree: FuseTree, node: number): DataView<ArrayBuffer> {
  const view = new DataView(new Uint8Array(ATTR.size).fill(0xff).buffer);
  tree.writeAttributes(node, view, 0);
  return view;
}

Deno.test("FuseTree numbers the folders of the image's path from the root on", () => {
  const tree = new FuseTree("/var/lib/disk.qcow2", DISK);
  assertEquals(tree.diskNode, ROOT_NODE + 3);
  assertEquals(tree.lookUp(ROOT_NODE, bytes("var")), ROOT_NODE + 1);
  assertEquals(tree.lookUp(ROOT_NODE + 1, bytes("lib")), ROOT_NODE + 2);
  assertEquals(tree.lookUp(ROOT_NODE + 2, bytes("disk.qcow2")), tree.diskNode);
});

Deno.test("FuseTree.lookUp() finds nothing but the one name of each folder", () => {
  const tree = new FuseTree("/var/lib/disk", DISK);
  for (const name of ["", "va", "varr", "VAR", "lib", "disk", ".", "..", "var\0"]) {
    assertEquals(tree.lookUp(ROOT_NODE, bytes(name)), 0, JSON.stringify(name));
  }
});

Deno.test("FuseTree.lookUp() finds nothing below the disk or in nodes that are not", () => {
  const tree = new FuseTree("/disk", DISK);
  for (const parent of [0, -1, 2, 3, 2 ** 53, NaN]) {
    assertEquals(tree.lookUp(parent, bytes("disk")), 0, `${parent}`);
  }
});

Deno.test("FuseTree.lookUp() compares bytes, so that any name leads to the disk", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1, unit: "binary" }), { minLength: 1 }),
      (parts) => {
        const names = parts.map((part) => part.replaceAll(/[/\0]/g, "_"));
        const tree = new FuseTree(`/${names.join("/")}`, DISK);
        const found = names.reduce((node, name) => tree.lookUp(node, bytes(name)), ROOT_NODE);
        assertEquals(found, tree.diskNode);
      },
    ),
  );
});

Deno.test("FuseTree.has() knows the nodes from the root to the disk", () => {
  const tree = new FuseTree("/a/b", DISK);
  assertEquals([1, 2, 3].map((node) => tree.has(node)), [true, true, true]);
  for (const node of [0, 4, -1, 2 ** 63]) assertFalse(tree.has(node));
});

Deno.test("FuseTree refuses a path without a name", () => {
  assertThrows(() => new FuseTree("/", DISK), RangeError);
});

Deno.test("FuseTree.writeAttributes() describes the disk, byte for byte", () => {
  const tree = new FuseTree("/a/disk", DISK);
  const view = attributes(tree, tree.diskNode);
  assertEquals(view.getBigUint64(ATTR.inode, true), BigInt(tree.diskNode));
  assertEquals(view.getBigUint64(ATTR.bytes, true), 1_000_001n);
  assertEquals(view.getBigUint64(ATTR.blocks, true), 1954n);
  assertEquals(view.getUint32(ATTR.mode, true), 0o100600);
  assertEquals(view.getUint32(ATTR.links, true), 1);
  assertEquals(view.getUint32(ATTR.blockSize, true), 4096);
  const written = new Set([ATTR.inode, ATTR.bytes, ATTR.blocks].flatMap((at) => [at, at + 4]));
  for (const at of [ATTR.mode, ATTR.links, ATTR.blockSize]) written.add(at);
  for (let at = 0; at < ATTR.size; at += 4) {
    assert(written.has(at) || view.getUint32(at, true) === 0, `byte ${at}`);
  }
});

Deno.test("FuseTree.writeAttributes() shows no write permission on a read-only disk", () => {
  const tree = new FuseTree("/disk", { sizeBytes: 512, readOnly: true });
  assertEquals(attributes(tree, tree.diskNode).getUint32(ATTR.mode, true), 0o100400);
});

Deno.test("FuseTree.writeAttributes() describes a folder", () => {
  const tree = new FuseTree("/a/disk", DISK);
  for (const node of [ROOT_NODE, ROOT_NODE + 1]) {
    const view = attributes(tree, node);
    assertEquals(view.getUint32(ATTR.mode, true), 0o040500);
    assertEquals(view.getBigUint64(ATTR.bytes, true), 0n);
  }
});

Deno.test("FuseTree.writeAttributes() shows sizes beyond 2^32", () => {
  const sizeBytes = 5 * 2 ** 40 + 512;
  const tree = new FuseTree("/disk", { sizeBytes, readOnly: true });
  assertEquals(attributes(tree, 2).getBigUint64(ATTR.bytes, true), BigInt(sizeBytes));
});
