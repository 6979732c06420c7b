// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { FuseTree } from "../../src/fuse/fuse_tree.ts";
import { NodeRequests } from "../../src/fuse/node_requests.ts";
import {
  ATTR,
  ATTR_OUT,
  ENTRY_OUT,
  IN_HEADER,
  INIT_IN,
  INIT_OUT,
  InitFlag,
  MAX_IO_BYTES,
  MAX_PAGES,
  Opcode,
  OPEN_OUT,
  OUT_HEADER,
  STATFS_OUT,
} from "../../src/fuse/protocol.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { encodeRequest, nameBody } from "./fuse_wire.ts";

const ENOENT = 2;
const EROFS = 30;
const ENOSYS = 38;

const O_RDONLY = 0;
const O_WRONLY = 1;
const O_RDWR = 2;

interface Answer {
  readonly result: number;
  /** The reply's body; what lies behind it must not have been touched. */
  readonly view: DataView;
}

class Session {
  readonly tree: FuseTree;
  readonly #nodes: NodeRequests;

  constructor({ readOnly = false }: { readOnly?: boolean } = {}) {
    this.tree = new FuseTree("/dir/disk", { sizeBytes: 4096, readOnly });
    this.#nodes = new NodeRequests(this.tree, { readOnly });
  }

  ask(opcode: number, node: number, body: Uint8Array = new Uint8Array(64)): Answer {
    const input = new IoBuffer(4096);
    const output = new IoBuffer(4096);
    input.bytes.set(encodeRequest({ opcode, unique: 2n, node, body }));
    // A reply must not show what an earlier one has left in the buffer.
    output.bytes.fill(0xee);
    const result = this.#nodes.answer(opcode, node, { input, output });
    const end = OUT_HEADER.size + Math.max(0, result);
    assert(output.bytes.subarray(end).every((byte) => byte === 0xee), "wrote behind the reply");
    return { result, view: new DataView(output.bytes.buffer, OUT_HEADER.size) };
  }

  initialize(minor: number, flags: number): Answer {
    const body = new Uint8Array(64);
    const view = new DataView(body.buffer);
    view.setUint32(INIT_IN.major, 7, true);
    view.setUint32(INIT_IN.minor, minor, true);
    view.setUint32(INIT_IN.maxReadAhead, 128 * 1024, true);
    view.setUint32(INIT_IN.flags, flags >>> 0, true);
    return this.ask(Opcode.Init, 0, body);
  }

  open(flags: number): Answer {
    const body = new Uint8Array(8);
    new DataView(body.buffer).setUint32(0, flags, true);
    return this.ask(Opcode.Open, this.tree.diskNode, body);
  }
}

Deno.test("INIT agrees on version 7.36 with newer kernels and on theirs with older ones", () => {
  for (const [theirs, ours] of [[45, 36], [36, 36], [34, 34], [31, 31]] as const) {
    const { result, view } = new Session().initialize(theirs, -1);
    assertEquals(result, INIT_OUT.size);
    assertEquals(view.getUint32(INIT_OUT.major, true), 7);
    assertEquals(view.getUint32(INIT_OUT.minor, true), ours, `kernel 7.${theirs}`);
  }
});

Deno.test("INIT takes up only what the kernel has offered", () => {
  const wanted = InitFlag.AsyncRead | InitFlag.BigWrites | InitFlag.AsyncDio | InitFlag.MaxPages;
  const flagsOf = (offered: number): number =>
    new Session().initialize(40, offered).view.getUint32(INIT_OUT.flags, true);
  assertEquals(flagsOf(0), 0);
  assertEquals(flagsOf(InitFlag.AsyncDio), InitFlag.AsyncDio);
  assertEquals(flagsOf(-1) & wanted, wanted);
  assertEquals(flagsOf(wanted) & ~wanted, 0);
});

Deno.test("INIT names the sizes of requests, and clears the rest of the reply", () => {
  const { view } = new Session().initialize(40, -1);
  assertEquals(view.getUint32(INIT_OUT.maxWrite, true), MAX_IO_BYTES);
  assertEquals(view.getUint16(INIT_OUT.maxPages, true), MAX_PAGES);
  assertEquals(MAX_PAGES * 4096, MAX_IO_BYTES);
  assertEquals(view.getUint32(INIT_OUT.timeGranularity, true), 1);
  assert(view.getUint16(INIT_OUT.maxBackground, true) >= 64);
  for (let at = INIT_OUT.maxPages + 2; at < INIT_OUT.size; at += 2) {
    assertEquals(view.getUint16(at, true), 0, `byte ${at}`);
  }
});

Deno.test("LOOKUP answers with the node and its attributes", () => {
  const session = new Session();
  const { result, view } = session.ask(Opcode.Lookup, 2, nameBody("disk"));
  assertEquals(result, ENTRY_OUT.size);
  assertEquals(view.getBigUint64(ENTRY_OUT.nodeId, true), BigInt(session.tree.diskNode));
  assertEquals(view.getBigUint64(ENTRY_OUT.attr + ATTR.inode, true), 3n);
  assertEquals(view.getBigUint64(ENTRY_OUT.attr + ATTR.bytes, true), 4096n);
  assert(view.getBigUint64(ENTRY_OUT.entryValidSeconds, true) > 0n);
  assert(view.getBigUint64(ENTRY_OUT.attrValidSeconds, true) > 0n);
});

Deno.test("LOOKUP of any other name answers ENOENT", () => {
  const session = new Session();
  for (const name of ["", "dis", "disk2", "dir", ".."]) {
    assertEquals(session.ask(Opcode.Lookup, 2, nameBody(name)).result, -ENOENT, name);
  }
  assertEquals(session.ask(Opcode.Lookup, 3, nameBody("disk")).result, -ENOENT);
});

Deno.test("LOOKUP takes a name without its NUL, and one with something behind it", () => {
  const session = new Session();
  const bare = new TextEncoder().encode("disk");
  assertEquals(session.ask(Opcode.Lookup, 2, bare).result, ENTRY_OUT.size);
  const more = new TextEncoder().encode("disk\0and more");
  assertEquals(session.ask(Opcode.Lookup, 2, more).result, ENTRY_OUT.size);
});

Deno.test("GETATTR answers for the root, a folder and the disk", () => {
  const session = new Session();
  const modes = [1, 2, 3].map((node) => {
    const { result, view } = session.ask(Opcode.GetAttr, node);
    assertEquals(result, ATTR_OUT.size);
    return view.getUint32(ATTR_OUT.attr + ATTR.mode, true);
  });
  assertEquals(modes, [0o040500, 0o040500, 0o100600]);
});

Deno.test("OPEN of a writable disk succeeds however it is opened", () => {
  const session = new Session();
  for (const flags of [O_RDONLY, O_WRONLY, O_RDWR]) {
    assertEquals(session.open(flags).result, OPEN_OUT.size);
  }
});

Deno.test("OPEN of a read-only disk for writing answers EROFS", () => {
  const session = new Session({ readOnly: true });
  assertEquals(session.open(O_RDONLY).result, OPEN_OUT.size);
  assertEquals(session.open(O_WRONLY).result, -EROFS);
  assertEquals(session.open(O_RDWR | 0o40000).result, -EROFS);
});

Deno.test("STATFS answers with a block size and nothing else of interest", () => {
  const { result, view } = new Session().ask(Opcode.StatFs, 1);
  assertEquals(result, STATFS_OUT.size);
  assertEquals(view.getUint32(STATFS_OUT.blockSize, true), 4096);
  assertEquals(view.getUint32(STATFS_OUT.nameLength, true), 255);
  assertEquals(view.getBigUint64(0, true), 0n);
});

Deno.test("FLUSH, RELEASE, ACCESS and DESTROY succeed with an empty reply", () => {
  const session = new Session();
  for (const opcode of [Opcode.Flush, Opcode.Release, Opcode.Access]) {
    assertEquals(session.ask(opcode, session.tree.diskNode).result, 0);
  }
  assertEquals(session.ask(Opcode.Destroy, 1).result, 0);
});

Deno.test("a request for a node there is not answers ENOENT", () => {
  const session = new Session();
  for (const opcode of [Opcode.GetAttr, Opcode.Open, Opcode.Lookup, Opcode.StatFs, 999]) {
    assertEquals(session.ask(opcode, 4, nameBody("disk")).result, -ENOENT, `opcode ${opcode}`);
    assertEquals(session.ask(opcode, 2 ** 60).result, -ENOENT, `opcode ${opcode}`);
  }
});

Deno.test("an operation that is not implemented answers ENOSYS", () => {
  // IOCTL, POLL, CREATE, MKDIR, SETATTR, GETXATTR, and one that does not exist yet
  for (const opcode of [39, 40, 35, 9, 4, 22, 4096]) {
    assertEquals(new Session().ask(opcode, 3).result, -ENOSYS, `opcode ${opcode}`);
  }
  assert(IN_HEADER.size === 40);
});
