// @ts-types="../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { type PartitionPlace, partitionPlace } from "../../../src/kernel/partition_place.ts";
import { findPartitionTable } from "../../../src/kernel/partition_tables.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";

const MIB = 1024 * 1024;

/** Partitions 1 to 5 of a disk of that table, as sfdisk makes it. */
async function places(script: string): Promise<(PartitionPlace | undefined)[]> {
  using folder = new TempDirectory();
  const image = folder.file("disk");
  await must("truncate", "-s", "16M", image);
  await must("sh", "-c", `printf "${script}" | sfdisk --quiet ${image}`);
  const bytes = Deno.readFileSync(image);
  const read = (at: number, length: number): Uint8Array => bytes.subarray(at, at + length);
  const disk = { sizeBytes: bytes.length, sectorBytes: 512, read };
  const table = findPartitionTable(disk);
  return [1, 2, 3, 4, 5].map((number) => table && partitionPlace(disk, table, number));
}

const mib = (start: number, length: number): PartitionPlace => ({
  startBytes: start * MIB,
  lengthBytes: length * MIB,
});

oracleTest("partitionPlace() finds partitions by their numbers", ["sfdisk"], async () => {
  const gap = "1: start=1MiB, size=2MiB\\n3: start=4MiB, size=1MiB\\n";
  const expected = [mib(1, 2), undefined, mib(4, 1), undefined, undefined];
  assertEquals(await places(`label: gpt\\n${gap}`), expected);
  assertEquals(await places(`label: dos\\n${gap}`), expected);
});

oracleTest(
  "partitionPlace() takes no extended partition, and nothing in it",
  ["sfdisk"],
  async () => {
    const script =
      "label: dos\\n1: start=1MiB, size=1MiB\\n2: start=4MiB, type=5\\n5: start=5MiB, size=1MiB\\n";
    assertEquals(await places(script), [mib(1, 1), undefined, undefined, undefined, undefined]);
  },
);

Deno.test("partitionPlace() takes nothing that is not on the disk", () => {
  const bytes = new Uint8Array(64 * 512);
  const view = new DataView(bytes.buffer);
  view.setUint16(510, 0xaa55, true);
  for (const [index, start, length] of [[0, 60, 4], [1, 60, 5], [2, 0, 4], [3, 64, 1]] as const) {
    view.setUint8(446 + 16 * index + 4, 0x83);
    view.setUint32(446 + 16 * index + 8, start, true);
    view.setUint32(446 + 16 * index + 12, length, true);
  }
  const read = (at: number, count: number): Uint8Array => bytes.subarray(at, at + count);
  const disk = { sizeBytes: bytes.length, sectorBytes: 512, read };
  const table = { kind: "MBR", sectorBytes: 512 } as const;
  const found = [1, 2, 3, 4].map((number) => partitionPlace(disk, table, number)?.startBytes);
  assertEquals(found, [60 * 512, undefined, undefined, undefined]);
});
