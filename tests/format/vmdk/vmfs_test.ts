// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { openImage } from "../../../src/disk/open.ts";
import { readDisk } from "../../support/disk.ts";
import { must, oracleTest, TempDirectory } from "../../support/tools.ts";
import { openImageFile, readRange, sameBytes } from "../opened_image.ts";
import { descriptor } from "./image_builder.ts";
import { buildCowd, buildSeSparse, type CowdParts, type SeSparseParts } from "./vmfs_builder.ts";

const SECTORS = 8192;
const REQUEST = { format: "VMDK", readOnly: true, offsetBytes: 0, sizeLimitBytes: 0 };

/** A snapshot of ESX over a flat disk of bytes of 0xbb. */
class Snapshot extends TempDirectory {
  constructor(type: "VMFSSPARSE" | "SESPARSE", delta: Uint8Array, sectors = SECTORS) {
    super();
    Deno.writeFileSync(this.file("base-flat.vmdk"), new Uint8Array(512 * SECTORS).fill(0xbb));
    const line = `RW ${SECTORS} VMFS "base-flat.vmdk"`;
    this.#put("base.vmdk", descriptor([line], { createType: '"vmfs"' }));
    Deno.writeFileSync(this.file("child-delta.vmdk"), delta);
    const createType = type === "SESPARSE" ? '"seSparse"' : '"vmfsSparse"';
    const below = { parentCID: "1234abcd", parentFileNameHint: '"base.vmdk"' };
    const own = `RW ${sectors} ${type} "child-delta.vmdk"`;
    this.#put("child.vmdk", descriptor([own], { CID: "5678", createType, ...below }));
  }

  #put(name: string, text: string): void {
    Deno.writeTextFileSync(this.file(name), text);
  }

  /** The whole disk, as the program reads it. */
  read(): Uint8Array {
    using access = openImage(openImageFile(this.file("child.vmdk")), REQUEST);
    return readDisk(access, 0, access.sizeBytes);
  }

  /** As qemu reads it. */
  async theirs(): Promise<Uint8Array> {
    const raw = this.file("disk.raw");
    await must("qemu-img", "convert", "-f", "vmdk", "-O", "raw", this.file("child.vmdk"), raw);
    return readRange(raw, 0, 512 * SECTORS);
  }
}

const COWD_MAP: CowdParts["map"] = new Map([[0, 0], [1, 1], [2, 2], [3, 7], [5, 3], [4095, 4]]);
const UNMAPPED = 1n << 60n;
const ZERO = 2n << 60n;
const SE_MAP: SeSparseParts["map"] = [2, ZERO, UNMAPPED, 0, 1, 0n, 3];

function sectors(bytes: Uint8Array, numbers: readonly number[]): (number | undefined)[] {
  return numbers.map((sector) => bytes[512 * sector + 3]);
}

Deno.test("vmdk reads a snapshot with sectors of its own (COWD)", () => {
  using snapshot = new Snapshot("VMFSSPARSE", buildCowd({ map: COWD_MAP, sectors: SECTORS }));
  const bytes = snapshot.read();
  assertEquals(bytes.length, 512 * SECTORS);
  const wanted = [1, 2, 3, 8, 0xbb, 4, 0xbb, 5, 0xbb, 0xbb];
  assertEquals(sectors(bytes, [0, 1, 2, 3, 4, 5, 6, 4095, 4096, SECTORS - 1]), wanted);
});

Deno.test("vmdk reads a space-efficient snapshot (SESPARSE): what the guest gave back is zeros", () => {
  using snapshot = new Snapshot("SESPARSE", buildSeSparse({ map: SE_MAP, sectors: SECTORS }));
  const wanted = [3, 0, 0, 1, 2, 0xbb, 4, 0xbb, 0xbb];
  assertEquals(sectors(snapshot.read(), [0, 8, 16, 24, 32, 40, 48, 56, SECTORS - 1]), wanted);
});

oracleTest("vmdk and qemu agree on snapshots of ESX", ["qemu-img"], async () => {
  using old = new Snapshot("VMFSSPARSE", buildCowd({ map: COWD_MAP, sectors: SECTORS }));
  assert(sameBytes(old.read(), await old.theirs()));
  using recent = new Snapshot("SESPARSE", buildSeSparse({ map: SE_MAP, sectors: SECTORS }));
  assert(sameBytes(recent.read(), await recent.theirs()));
});

Deno.test("vmdk finds the lowest bits of a grain's number above the others", () => {
  // 0x5123 grains of 4 KiB behind the first one: sector 104 + 8 * 0x5123
  const entry = 3n << 60n | 0x123n << 48n | 5n;
  const bytes = new Uint8Array((104 + 8 * 0x5124) * 512);
  bytes.set(buildSeSparse({ map: [entry], sectors: SECTORS }));
  bytes.fill(0x77, (104 + 8 * 0x5123) * 512);
  using snapshot = new Snapshot("SESPARSE", bytes);
  assertEquals(sectors(snapshot.read(), [0, 7, 8]), [0x77, 0x77, 0xbb]);
});

const cowdOf = (parts: Partial<CowdParts>): Uint8Array =>
  buildCowd({ map: COWD_MAP, sectors: SECTORS, ...parts });
const seSparseOf = (parts: Partial<SeSparseParts>): Uint8Array =>
  buildSeSparse({ map: SE_MAP, sectors: SECTORS, ...parts });

const REFUSED: readonly [message: string, type: "VMFSSPARSE" | "SESPARSE", delta: Uint8Array][] = [
  ["version 2", "VMFSSPARSE", cowdOf({ header: { version: 2 } })],
  ["grains of 0 sectors", "VMFSSPARSE", cowdOf({ header: { grain_size: 0 } })],
  ["a directory of 1 tables", "VMFSSPARSE", cowdOf({ header: { directory_entries: 1 } })],
  ["lies outside the file", "VMFSSPARSE", cowdOf({ header: { directory: 9999 } })],
  ["its descriptor says 4194304", "VMFSSPARSE", cowdOf({ sectors: 8191 })],
  ["is not in the file", "VMFSSPARSE", cowdOf({ map: new Map([[0, 3]]) }).subarray(0, 38 * 512)],
  ["too short for a header", "VMFSSPARSE", cowdOf({}).subarray(0, 1000)],
  ["whose version is 0x200000002", "SESPARSE", seSparseOf({ header: { version: 0x200000002n } })],
  ["whose flags is 0x1", "SESPARSE", seSparseOf({ header: { flags: 1n } })],
  [
    "reserved fields are in use",
    "SESPARSE",
    seSparseOf({ header: { reserved: new Uint8Array(32).fill(1) } }),
  ],
  [
    "journal has to be replayed",
    "SESPARSE",
    seSparseOf({ volatile: { replay_journal: 1n } }),
  ],
  ["no volatile header", "SESPARSE", seSparseOf({ volatile: { magic: 0n } })],
  ["tables_offset is 0x0", "SESPARSE", seSparseOf({ header: { tables_offset: 0n } })],
  ["the tables are not in", "SESPARSE", seSparseOf({ header: { tables_size: 1n << 63n } })],
  ["the directory is too short", "SESPARSE", seSparseOf({ header: { directory_size: 0n } })],
  ["entry 0 of the directory is 0x1", "SESPARSE", seSparseOf({ directoryEntry: 1n })],
  [
    "entry 0 of the directory is 0x1000000000000001",
    "SESPARSE",
    seSparseOf({ directoryEntry: 0x1000000000000001n }),
  ],
  ["entry 0 of the grain tables is 0x1", "SESPARSE", seSparseOf({ map: [1n] })],
  ["entry 0 of the grain tables is 0x4", "SESPARSE", seSparseOf({ map: [4n << 60n] })],
  ["is not in the file", "SESPARSE", seSparseOf({ map: [3n << 60n | 0xffffffffffffn] })],
  ["its descriptor says 4194304", "SESPARSE", seSparseOf({ sectors: 8000 })],
];

for (const [message, type, delta] of REFUSED) {
  Deno.test(`vmdk refuses snapshots of ESX that are damaged, or unknown: ${type}, ${message}`, () => {
    using snapshot = new Snapshot(type, delta);
    const error = assertThrows(() => snapshot.read(), Error);
    assertStringIncludes(error.message, message);
  });
}

Deno.test("vmdk says which file to name in place of a delta", () => {
  for (const delta of [cowdOf({}), seSparseOf({})]) {
    using snapshot = new Snapshot("SESPARSE", delta);
    const path = snapshot.file("child-delta.vmdk");
    const error = assertThrows(() => openImage(openImageFile(path), REQUEST), Error);
    assertStringIncludes(error.message, "name its descriptor, which may be child.vmdk");
  }
});
