/**
 * What only images of version 1 are like when they are written to. Random changes, crashes, failing calls
 * and hostile images have tests for all versions.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { HEADER } from "../../../../src/format/qcow1/layout.ts";
import { ImageFormatError } from "../../../../src/image/errors.ts";
import { SystemError } from "../../../../src/sys/errno.ts";
import { IMAGE_TOOLS, randomNumbers } from "../../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { sameBytes } from "../../opened_image.ts";
import { put } from "../../qcow/image_builder.ts";
import { qemuIo } from "../../qcow/write/originals.ts";
import { Random, stampedBytes } from "../../qcow/write/random_ops.ts";
import { openForWriting, WritableDisk } from "../../qcow/write/writable_disk.ts";
import { buildVersion1, type Version1Parts } from "../image_builder.ts";

const CLUSTER = 4096;
const FIRST_CLUSTER = 3;
const BUILT_BYTES = 8 * CLUSTER;

/** Sizes of clusters and tables, most of which qemu never makes. */
const GEOMETRIES = [[9, 6], [9, 13], [10, 9], [12, 9], [12, 12], [16, 6], [16, 13]] as const;

interface Geometry {
  readonly cluster_bits: number;
  readonly l2_bits: number;
  readonly sizeBytes: number;
}

/** An empty image; with `backing`, one over the file `base` beside it. */
function makeEmpty(path: string, geometry: Geometry, backing = ""): void {
  const { cluster_bits, l2_bits, sizeBytes } = geometry;
  const l1Bytes = Math.ceil(sizeBytes / 2 ** (cluster_bits + l2_bits)) * 8;
  const bytes = new Uint8Array(64 + l1Bytes);
  put(new DataView(bytes.buffer), 0, HEADER, {
    magic: 0x514649fb,
    version: 1,
    size: sizeBytes,
    cluster_bits,
    l2_bits,
    l1_table_offset: 64,
    backing_file_offset: backing === "" ? 0 : 48,
    backing_file_size: backing.length,
  });
  bytes.set(new TextEncoder().encode(backing), 48);
  Deno.writeFileSync(path, bytes);
}

for (const [cluster_bits, l2_bits] of GEOMETRIES) {
  oracleTest(
    `qcow1 and qemu write in turn: clusters of 2^${cluster_bits}, tables of 2^${l2_bits}`,
    IMAGE_TOOLS,
    async () => {
      using folder = new TempDirectory();
      const path = folder.file("disk.qcow");
      const sizeBytes = Math.min(40 * 2 ** (cluster_bits + l2_bits), 2 ** 24) + 512;
      makeEmpty(path, { cluster_bits, l2_bits, sizeBytes });
      const model = new Uint8Array(sizeBytes);
      const random = new Random(cluster_bits * 100 + l2_bits);
      for (let round = 0; round < 3; round++) {
        const disk = new WritableDisk(path);
        for (let id = 1; id <= 30; id++) {
          const offset = random.below(sizeBytes);
          const length = 1 + random.below(Math.min(sizeBytes - offset, 200_000));
          const bytes = stampedBytes(offset, length, id + 100 * round);
          disk.write(offset, bytes);
          model.set(bytes, offset);
        }
        assert(sameBytes(disk.read(0, sizeBytes), model), "read back");
        assert(disk.close());
        await writeByQemu(path, model, random);
      }
      const raw = folder.file("raw");
      await must("qemu-img", "convert", "-f", "qcow", "-O", "raw", path, raw);
      assert(sameBytes(Deno.readFileSync(raw), model), "qemu reads other bytes");
    },
  );
}

async function writeByQemu(path: string, model: Uint8Array, random: Random): Promise<void> {
  const commands = Array.from({ length: 10 }, (_, n) => {
    const start = random.below(model.length / 512) * 512;
    const length = Math.min(512 * (1 + random.below(100)), model.length - start);
    model.fill(n + 1, start, start + length);
    return `write -P ${n + 1} ${start} ${length}`;
  });
  await qemuIo(path, "qcow", commands);
}

Deno.test("qcow1 keeps what was answered when its daemon is killed, if nothing is below", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk.qcow");
  const sizeBytes = 64 * 1024 * 1024;
  makeEmpty(path, { cluster_bits: 12, l2_bits: 9, sizeBytes });
  const random = randomNumbers(8);
  const written = new Map<number, Uint8Array>();
  {
    using disk = new WritableDisk(path);
    for (let id = 1; id <= 80; id++) {
      const offset = Math.floor(random() * sizeBytes / 4096) * 4096;
      written.set(offset, stampedBytes(offset, 4096, id));
      disk.write(offset, stampedBytes(offset, 4096, id));
    }
  }
  using disk = new WritableDisk(path);
  for (const [offset, bytes] of written) assertEquals(disk.read(offset, bytes.length), bytes);
});

Deno.test("qcow1 copies the rest of a cluster from below, which qemu has be zeros", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk.qcow");
  const base = new Uint8Array(256 * 1024).fill(7);
  Deno.writeFileSync(folder.file("base"), base);
  makeEmpty(path, { cluster_bits: 16, l2_bits: 9, sizeBytes: base.length }, "base");
  const disk = new WritableDisk(path);
  disk.write(70_000, new Uint8Array(10).fill(9));
  disk.writeZeros(140_000, 10);
  base.fill(9, 70_000, 70_010).fill(0, 140_000, 140_010);
  assert(sameBytes(disk.read(0, base.length), base));
  assert(disk.close());
  using again = new WritableDisk(path);
  assert(sameBytes(again.read(0, base.length), base));
});

function built(folder: TempDirectory, parts: Version1Parts = {}): string {
  const path = folder.file("built.qcow");
  Deno.writeFileSync(path, buildVersion1(parts));
  return path;
}

function host(cluster: number): bigint {
  return BigInt(cluster * CLUSTER);
}

Deno.test("qcow1 frees what is discarded where it is, and leaves no entry that leads nowhere", () => {
  using folder = new TempDirectory();
  const path = built(folder, { l2: [host(FIRST_CLUSTER), host(FIRST_CLUSTER + 1), host(6)] });
  const blocks = Deno.statSync(path).blocks ?? 0;
  const disk = new WritableDisk(path);
  disk.discard(0, 2 * CLUSTER);
  assertEquals(disk.read(0, 3 * CLUSTER), new Uint8Array(3 * CLUSTER).fill(6, 2 * CLUSTER));
  assert(disk.close());
  assertLess(Deno.statSync(path).blocks ?? 0, blocks);
  assertEquals(Deno.statSync(path).size, BUILT_BYTES);
});

Deno.test("qcow1 has no room on what cannot get longer, but writes to what is there", () => {
  using folder = new TempDirectory();
  const path = built(folder, { l2: [host(FIRST_CLUSTER)] });
  const file = openForWriting(path);
  Object.defineProperty(file, "canGrow", { value: false });
  using disk = new WritableDisk(path, { file });
  disk.write(100, new Uint8Array(10).fill(9));
  assertEquals(disk.read(99, 3), Uint8Array.of(3, 9, 9));
  assertThrows(() => disk.write(CLUSTER, new Uint8Array(10)), SystemError, "No space left");
  assertEquals(disk.read(CLUSTER, 1), Uint8Array.of(0));
});

Deno.test("qcow1 puts back what a write had that failed, and uses it for the next one", () => {
  using folder = new TempDirectory();
  const path = built(folder, { l2: [] });
  const file = openForWriting(path);
  const disk = new WritableDisk(path, { file });
  disk.write(0, new Uint8Array(CLUSTER).fill(1));
  const write = file.write.bind(file);
  file.write = () => {
    throw new SystemError("write", 28, path);
  };
  for (let n = 0; n < 50; n++) {
    assertThrows(() => disk.write(CLUSTER, new Uint8Array(CLUSTER).fill(2)), SystemError);
  }
  file.write = write;
  disk.write(2 * CLUSTER, new Uint8Array(10).fill(3));
  const expected = new Uint8Array(3 * CLUSTER).fill(1, 0, CLUSTER);
  expected.fill(3, 2 * CLUSTER, 2 * CLUSTER + 10);
  assertEquals(disk.read(0, expected.length), expected);
  assert(disk.close());
  assertEquals(Deno.statSync(path).size, BUILT_BYTES + 2 * CLUSTER);
});

const REFUSED: readonly [message: string, parts: Version1Parts][] = [
  ["overlaps other metadata", { l1: [host(1)] }],
  ["overlaps other metadata", { header: { l1_table_offset: 40 } }],
  ["is not aligned", { l1: [host(2) + 8n] }],
  ["is not aligned", { header: { l1_table_offset: CLUSTER + 4 } }],
  ["is not in the file", { l1: [host(100)] }],
  ["leads out of the file", { l2: [host(100)] }],
  ["leads out of the file", { l2: [0n, host(8) - 512n] }],
  ["leads out of the file", { l2: [1n << 62n] }],
  ["leads out of the file", { l2: [1n << 63n | 9n << 51n | host(8)] }],
  ["leads out of the file", { l2: [1n << 63n | 513n << 51n | host(8) - 512n] }],
];

for (const [index, [message, parts]] of REFUSED.entries()) {
  Deno.test(`qcow1 does not write to an image whose metadata could be hit: ${message}, ${index}`, () => {
    using folder = new TempDirectory();
    const path = built(folder, parts);
    assertThrows(() => new WritableDisk(path), ImageFormatError, message);
    using readable = new WritableDisk(path, { request: { readOnly: true } });
    assertEquals(readable.sizeBytes, CLUSTER * 512);
  });
}

for (const target of [8n, host(1), host(2), host(2) - 512n]) {
  Deno.test(`qcow1 ends all writing at an entry that leads to ${target}`, () => {
    using folder = new TempDirectory();
    const path = built(folder, { l2: [host(FIRST_CLUSTER), target] });
    using disk = new WritableDisk(path);
    disk.write(0, new Uint8Array(10));
    assertThrows(() => disk.write(CLUSTER, new Uint8Array(10)), ImageFormatError, "no guest's");
    assertThrows(() => disk.write(0, new Uint8Array(10)), SystemError, "Input/output");
  });
}
