// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import * as protocol from "../../src/fuse/protocol.ts";
import { hasTool, must, TempDirectory, testIfPossible } from "../support/tools.ts";

const HEADER = "/usr/include/linux/fuse.h";

/** C expressions, and what this program takes them for. */
const EXPECTED: Readonly<Record<string, number>> = {
  ...structure("fuse_in_header", protocol.IN_HEADER, {
    length: "len",
    opcode: "opcode",
    unique: "unique",
    nodeId: "nodeid",
  }),
  ...structure("fuse_out_header", protocol.OUT_HEADER, {
    length: "len",
    error: "error",
    unique: "unique",
  }),
  ...structure("fuse_init_in", protocol.INIT_IN, {
    major: "major",
    minor: "minor",
    maxReadAhead: "max_readahead",
    flags: "flags",
  }),
  ...structure("fuse_init_out", protocol.INIT_OUT, {
    major: "major",
    minor: "minor",
    maxReadAhead: "max_readahead",
    flags: "flags",
    maxBackground: "max_background",
    congestionThreshold: "congestion_threshold",
    maxWrite: "max_write",
    timeGranularity: "time_gran",
    maxPages: "max_pages",
  }),
  ...structure("fuse_attr", protocol.ATTR, {
    inode: "ino",
    bytes: "size",
    blocks: "blocks",
    mode: "mode",
    links: "nlink",
    blockSize: "blksize",
  }),
  ...structure("fuse_attr_out", protocol.ATTR_OUT, { validSeconds: "attr_valid", attr: "attr" }),
  ...structure("fuse_entry_out", protocol.ENTRY_OUT, {
    nodeId: "nodeid",
    entryValidSeconds: "entry_valid",
    attrValidSeconds: "attr_valid",
    attr: "attr",
  }),
  ...structure("fuse_open_in", protocol.OPEN_IN, { flags: "flags" }),
  ...structure("fuse_open_out", protocol.OPEN_OUT, { handle: "fh", flags: "open_flags" }),
  ...structure("fuse_read_in", protocol.IO_IN, { offset: "offset", length: "size" }),
  ...structure("fuse_write_in", protocol.IO_IN, { offset: "offset", length: "size" }),
  ...structure("fuse_write_out", protocol.WRITE_OUT, { length: "size", padding: "padding" }),
  ...structure("fuse_fallocate_in", protocol.FALLOCATE_IN, {
    offset: "offset",
    length: "length",
    mode: "mode",
  }),
  ...structure("fuse_lseek_in", protocol.LSEEK_IN, { offset: "offset", whence: "whence" }),
  ...structure("fuse_lseek_out", protocol.LSEEK_OUT, { offset: "offset" }),
  ...structure("fuse_statfs_out", protocol.STATFS_OUT, {
    blockSize: "st.bsize",
    nameLength: "st.namelen",
    fragmentSize: "st.frsize",
  }),
  ...structure("fuse_notify_inval_inode_out", protocol.NOTIFY_INVAL_INODE, {
    inode: "ino",
    offset: "off",
  }),
  "FUSE_NOTIFY_INVAL_INODE": protocol.NOTIFY_INVAL_INODE.code,
  "FUSE_ROOT_ID": protocol.ROOT_NODE,
  "FUSE_KERNEL_VERSION": protocol.VERSION.major,
  "FUSE_ASYNC_READ": protocol.InitFlag.AsyncRead,
  "FUSE_BIG_WRITES": protocol.InitFlag.BigWrites,
  "FUSE_ASYNC_DIO": protocol.InitFlag.AsyncDio,
  "FUSE_PARALLEL_DIROPS": protocol.InitFlag.ParallelDirOps,
  "FUSE_MAX_PAGES": protocol.InitFlag.MaxPages,
  "FOPEN_DIRECT_IO": protocol.OpenFlag.DirectIo,
  "FOPEN_KEEP_CACHE": protocol.OpenFlag.KeepCache,
  "FOPEN_PARALLEL_DIRECT_WRITES": protocol.OpenFlag.ParallelDirectWrites,
  "FALLOC_FL_KEEP_SIZE": protocol.FallocateMode.KeepSize,
  "FALLOC_FL_PUNCH_HOLE": protocol.FallocateMode.PunchHole,
  "FALLOC_FL_ZERO_RANGE": protocol.FallocateMode.ZeroRange,
  "SEEK_DATA": protocol.Whence.Data,
  "SEEK_HOLE": protocol.Whence.Hole,
  ...opcodes(),
};

/** `sizeof` and `offsetof` of one structure; a layout without a size is only read. */
function structure<Layout extends Readonly<Record<string, number>>>(
  name: string,
  layout: Layout,
  members: Readonly<Partial<Record<keyof Layout, string>>>,
): Record<string, number> {
  const offsets = Object.entries(members).map(([ours, theirs]) =>
    [`offsetof(struct ${name}, ${theirs})`, layout[ours] ?? NaN] as const
  );
  const { size } = layout;
  const sizes = size === undefined ? [] : [[`sizeof(struct ${name})`, size] as const];
  return Object.fromEntries([...offsets, ...sizes]);
}

/** FUSE_BATCH_FORGET and its like. */
function opcodes(): Record<string, number> {
  const unbroken: readonly string[] = ["GetAttr", "StatFs"];
  return Object.fromEntries(
    Object.entries(protocol.Opcode).map(([name, value]) => {
      const words = unbroken.includes(name) ? name : name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_");
      return [`FUSE_${words.toUpperCase()}`, value];
    }),
  );
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function valuesInC(expressions: readonly string[]): Promise<number[]> {
  using folder = new TempDirectory();
  const lines = expressions.map((text) => `printf("%lld\\n", (long long)(${text}));`);
  const includes = ["stddef.h", "stdio.h", "unistd.h", "linux/fuse.h", "linux/falloc.h"];
  const source = [
    "#define _GNU_SOURCE",
    ...includes.map((name) => `#include <${name}>`),
    `int main(void) { ${lines.join("\n")} return 0; }`,
  ];
  await Deno.writeTextFile(folder.file("layout.c"), source.join("\n"));
  await must("cc", "-o", folder.file("layout"), folder.file("layout.c"));
  const printed = await must(folder.file("layout"));
  return printed.trim().split("\n").map(Number);
}

const missing = !hasTool("cc") ? "cc" : isThere(HEADER) ? undefined : HEADER;

testIfPossible({
  name: "layouts and numbers are those of linux/fuse.h",
  obstacle: missing === undefined ? undefined : `${missing} not installed`,
  fn: async () => {
    const expressions = Object.keys(EXPECTED);
    const values = await valuesInC(expressions);
    const actual = Object.fromEntries(expressions.map((text, index) => [text, values[index]]));
    assert(expressions.length > 80);
    assertEquals(actual, EXPECTED as Record<string, number | undefined>);
  },
});
