// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  findPartitionTable,
  type PartitionTable,
  type ReadDisk,
} from "../../../src/kernel/partition_tables.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";

const MIB = 1024 * 1024;
const SIZE = 8 * MIB;
/** Type of a Linux partition. */
const LINUX = 0x83;
const PROTECTIVE = 0xee;

interface Entry {
  readonly status?: number;
  readonly type: number;
  readonly start: number;
  readonly length: number;
}

/** A disk with an MBR of these entries. */
function withMbr(entries: readonly Entry[]): Uint8Array<ArrayBuffer> {
  const disk = new Uint8Array(SIZE);
  const view = new DataView(disk.buffer);
  view.setUint16(510, 0xaa55, true);
  entries.forEach(({ status = 0, type, start, length }, index) => {
    const at = 446 + 16 * index;
    view.setUint8(at, status);
    view.setUint8(at + 4, type);
    view.setUint32(at + 8, start, true);
    view.setUint32(at + 12, length, true);
  });
  return disk;
}

/** A disk with a GPT for sectors of that size. */
function withGpt(
  sectorBytes: number,
  { used = true, entryBytes = 128, entriesBlock = 2n } = {},
): Uint8Array {
  const disk = withMbr([{ type: PROTECTIVE, start: 1, length: 0xffffffff }]);
  const view = new DataView(disk.buffer);
  disk.set(new TextEncoder().encode("EFI PART"), sectorBytes);
  view.setBigUint64(sectorBytes + 72, entriesBlock, true);
  view.setUint32(sectorBytes + 80, 128, true);
  view.setUint32(sectorBytes + 84, entryBytes, true);
  // The third entry: the first ones may be unused.
  if (used) disk[2 * sectorBytes + 2 * 128] = 0xaf;
  return disk;
}

function reading(disk: Uint8Array): ReadDisk {
  return (offset, lengthBytes) => disk.subarray(offset, offset + lengthBytes);
}

function found(disk: Uint8Array, sectorBytes = 512): PartitionTable | undefined {
  return findPartitionTable({ sizeBytes: disk.length, sectorBytes, read: reading(disk) });
}

Deno.test("findPartitionTable() tells for which sector size a GPT was made", () => {
  for (const made of [512, 1024, 2048, 4096]) {
    for (const device of [512, 4096]) {
      assertEquals(found(withGpt(made), device), { kind: "GPT", sectorBytes: made });
    }
  }
});

Deno.test("findPartitionTable() believes the device's own sector size first", () => {
  const disk = withGpt(4096);
  disk.set(withGpt(512).subarray(512, 4096), 512);
  assertEquals(found(disk, 512)?.sectorBytes, 512);
  assertEquals(found(disk, 4096)?.sectorBytes, 4096);
});

Deno.test("findPartitionTable() finds no GPT without partitions, or without its header", () => {
  assertEquals(found(withGpt(512, { used: false })), undefined);
  assertEquals(found(withMbr([{ type: PROTECTIVE, start: 1, length: 9 }])), undefined);
});

Deno.test("findPartitionTable() is not misled by damaged headers", () => {
  assertEquals(found(withGpt(512, { entryBytes: 0 })), undefined);
  assertEquals(found(withGpt(512, { entriesBlock: 2n ** 63n })), undefined);
  assertEquals(found(withGpt(512, { entriesBlock: BigInt(SIZE) })), undefined);
});

Deno.test("findPartitionTable() finds an MBR, and takes another sector size where none fits", () => {
  const small = [{ type: LINUX, start: 64, length: 128 }];
  assertEquals(found(withMbr(small)), { kind: "MBR", sectorBytes: 512 });
  assertEquals(found(withMbr(small), 4096), { kind: "MBR", sectorBytes: 4096 });
  const large = [{ type: LINUX, start: 2048, length: 2048 }];
  assertEquals(found(withMbr(large), 4096), { kind: "MBR", sectorBytes: 512 });
  const beyond = [{ type: LINUX, start: SIZE, length: 1 }];
  assertEquals(found(withMbr(beyond)), { kind: "MBR", sectorBytes: 512 });
});

Deno.test("findPartitionTable() takes another size for an MBR where only that leads to a file system", () => {
  const entries = [{ type: LINUX, start: 64, length: 128 }, {
    type: LINUX,
    start: 256,
    length: 512,
  }];
  const ext = (sectorBytes: number, disk = withMbr(entries)): Uint8Array<ArrayBuffer> => {
    disk.set([0x53, 0xef], 256 * sectorBytes + 1080);
    return disk;
  };
  assertEquals(found(ext(4096)), { kind: "MBR", sectorBytes: 4096 });
  assertEquals(found(ext(2048), 4096), { kind: "MBR", sectorBytes: 2048 });
  assertEquals(found(ext(512, ext(4096))), { kind: "MBR", sectorBytes: 512 });
  assertEquals(found(ext(512, ext(4096)), 4096), { kind: "MBR", sectorBytes: 4096 });
  const full = [{ type: LINUX, start: 64, length: SIZE / 512 - 64 }];
  assertEquals(found(ext(4096, withMbr(full))), { kind: "MBR", sectorBytes: 512 });
});

Deno.test("findPartitionTable() finds no MBR without partitions, nor where a file system begins", () => {
  assertEquals(found(withMbr([])), undefined);
  assertEquals(found(withMbr([{ type: LINUX, start: 1, length: 0 }])), undefined);
  // As the text in the boot sector of a FAT file system.
  assertEquals(found(withMbr([{ status: 0x4d, type: LINUX, start: 1, length: 1 }])), undefined);
  assertEquals(found(new Uint8Array(SIZE)), undefined);
  assertEquals(found(new Uint8Array(100)), undefined);
});

Deno.test("findPartitionTable() takes whatever bytes there are", () => {
  const offsets = fc.tuple(
    fc.integer({ min: 440, max: 4096 + 96 }),
    fc.integer({ max: 255, min: 0 }),
  );
  fc.assert(fc.property(fc.array(offsets, { maxLength: 40 }), (changes) => {
    const disk = withGpt(512);
    for (const [at, value] of changes) disk[at] = value;
    found(disk);
  }));
});

for (const label of ["dos", "gpt"] as const) {
  oracleTest(`findPartitionTable() finds what sfdisk makes: ${label}`, ["sfdisk"], async () => {
    using folder = new TempDirectory();
    const path = folder.file("disk");
    Deno.writeFileSync(path, new Uint8Array(SIZE));
    const script = 'printf "label: $2\\n2048,2048\\n4096,\\n" | sfdisk --quiet "$1"';
    await must("sh", "-c", script, "sh", path, label);
    const kind = label === "dos" ? "MBR" : "GPT";
    assertEquals(found(Deno.readFileSync(path)), { kind, sectorBytes: 512 });
  });
  oracleTest(
    `findPartitionTable() finds nothing in an empty table: ${label}`,
    ["sfdisk"],
    async () => {
      using folder = new TempDirectory();
      const path = folder.file("disk");
      Deno.writeFileSync(path, new Uint8Array(SIZE));
      await must("sh", "-c", 'echo "label: $2" | sfdisk --quiet "$1"', "sh", path, label);
      assertEquals(found(Deno.readFileSync(path)), undefined);
    },
  );
}

oracleTest("findPartitionTable() finds nothing in a FAT file system", ["mkfs.vfat"], async () => {
  using folder = new TempDirectory();
  const path = folder.file("disk");
  Deno.writeFileSync(path, new Uint8Array(SIZE));
  await must("mkfs.vfat", path);
  assertEquals(found(Deno.readFileSync(path)), undefined);
});
