// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { ReadRequest } from "../../../src/disk/reader.ts";
import { deflateRawSync } from "node:zlib";
import { qcow } from "../../../src/format/qcow/mod.ts";
import { ImageFormatError } from "../../../src/image/errors.ts";
import { Extent, Mapping } from "../../../src/image/mapping.ts";
import type { ImageFile } from "../../../src/storage/image_file.ts";
import { IoBuffer } from "../../../src/sys/memory.ts";
import { TempDirectory } from "../../support/tools.ts";
import { OpenedImage } from "../opened_image.ts";
import { HEADER, HEADER_V3 } from "../../../src/format/qcow/layout.ts";
import { buildImage, DATA_CLUSTER, put } from "./image_builder.ts";

const CLUSTER = 4096;
const COMPRESSED = 1n << 62n;

function opened(folder: TempDirectory, bytes: Uint8Array): OpenedImage {
  const path = folder.file("disk.qcow2");
  Deno.writeFileSync(path, bytes);
  return new OpenedImage(path, qcow);
}

function host(cluster: number): bigint {
  return BigInt(cluster * CLUSTER);
}

/** Kind and length of all answers for the first `clusters` clusters. */
function extents(image: OpenedImage, clusters: number): [Extent, number][] {
  return [...image.extents(0, clusters * CLUSTER)].map((run) => [
    run.mapping.kind,
    run.mapping.lengthBytes,
  ]);
}

Deno.test("QcowImage.map() joins what is contiguous and of one kind", () => {
  using folder = new TempDirectory();
  const l2 = [host(3), host(4), host(6), 0n, 1n, host(5) | 1n, host(7)];
  using image = opened(folder, buildImage({ l2 }));
  assertEquals(extents(image, 7), [
    [Extent.Data, 2 * CLUSTER],
    [Extent.Data, CLUSTER],
    [Extent.Backing, CLUSTER],
    [Extent.Zero, 2 * CLUSTER],
    [Extent.Data, CLUSTER],
  ]);
  assertEquals(image.read(CLUSTER - 1, 2), Uint8Array.of(3, 4));
  assertEquals(image.read(2 * CLUSTER, 1), Uint8Array.of(6));
  assertEquals(image.read(5 * CLUSTER, 1), Uint8Array.of(0));
});

Deno.test("QcowImage.map() answers no more than was asked for, from the middle of a cluster", () => {
  using folder = new TempDirectory();
  using image = opened(folder, buildImage({ l2: [host(3), host(4)] }));
  const mapping = new Mapping();
  image.image.map(CLUSTER - 100, 300, mapping);
  assertEquals([mapping.hostOffset, mapping.lengthBytes], [4 * CLUSTER - 100, 300]);
});

Deno.test("QcowImage reads data past the end of the file as zeros", () => {
  using folder = new TempDirectory();
  const bytes = buildImage({ l2: [host(7), host(8), host(2 ** 40)] });
  using image = opened(folder, bytes.subarray(0, 7 * CLUSTER + 100));
  assertEquals(extents(image, 3), [[Extent.Data, 100], [Extent.Zero, 2 * CLUSTER - 100], [
    Extent.Zero,
    CLUSTER,
  ]]);
  assertEquals(image.read(7 * 0 + 98, 4), Uint8Array.of(7, 7, 0, 0));
});

Deno.test("QcowImage.map() gives one answer for a whole run of missing L2 tables", () => {
  using folder = new TempDirectory();
  const tableCovers = CLUSTER * CLUSTER / 8;
  const header = { size: 3 * tableCovers - 512, l1_size: 3 };
  using image = opened(folder, buildImage({ header, l1: [0n, 0n, 0n] }));
  const mapping = new Mapping();
  image.image.map(1000, header.size - 1000, mapping);
  assertEquals([mapping.kind, mapping.lengthBytes], [Extent.Backing, header.size - 1000]);
});

const BAD_TABLES = new Map([
  ["past the end of the file", host(8)],
  ["far past the end of the file", (1n << 56n) - host(1)],
  ["not at a cluster boundary", host(2) + 512n],
]);

for (const [name, l1] of BAD_TABLES) {
  Deno.test(`QcowImage.map() throws for an L2 table ${name}`, () => {
    using folder = new TempDirectory();
    using image = opened(folder, buildImage({ l1: [l1] }));
    const error = assertThrows(() => image.read(0, 512), ImageFormatError);
    assertEquals(error.hostOffset, Number(l1));
    assertEquals(error.path, folder.file("disk.qcow2"));
  });
}

Deno.test("QcowImage.map() throws at a damaged entry, and reads all around it", () => {
  using folder = new TempDirectory();
  using image = opened(folder, buildImage({ l2: [host(3), host(4) + 512n, 0n] }));
  assertEquals(image.read(CLUSTER - 1, 1), Uint8Array.of(3));
  assertThrows(() => image.read(CLUSTER - 1, 2), ImageFormatError);
  assertEquals(image.read(2 * CLUSTER, 1), Uint8Array.of(0));
});

/** An image whose first guest cluster is stored as `stream` at `hostOffset`. */
function compressedImage(stream: Uint8Array, hostOffset: number): Uint8Array {
  const sectors = Math.floor((hostOffset + stream.length - 1) / 512) - Math.floor(hostOffset / 512);
  const l2 = [COMPRESSED | (BigInt(sectors) << 58n) | BigInt(hostOffset)];
  const bytes = buildImage({ l2 });
  bytes.set(stream, hostOffset);
  return bytes;
}

const CONTENT = Uint8Array.from({ length: CLUSTER }, (_, index) => (index * index) >> 4);
const STREAM: Uint8Array = deflateRawSync(CONTENT);

Deno.test("QcowImage decompresses a cluster that lies across two host clusters", () => {
  using folder = new TempDirectory();
  using image = opened(folder, compressedImage(STREAM, 5 * CLUSTER - 77));
  assertEquals(extents(image, 2), [[Extent.Packed, CLUSTER], [Extent.Backing, CLUSTER]]);
  assertEquals(image.read(0, CLUSTER), CONTENT);
  assertEquals(image.read(1000, 50), CONTENT.slice(1000, 1050));
});

Deno.test("QcowImage decompresses a cluster whose last sector ends after the file", () => {
  using folder = new TempDirectory();
  const start = (DATA_CLUSTER + 1) * CLUSTER + 11;
  const bytes = compressedImage(STREAM, start).subarray(0, start + STREAM.length);
  using image = opened(folder, bytes);
  assertEquals(image.read(0, CLUSTER), CONTENT);
});

const BAD_STREAMS = new Map<string, Uint8Array>([
  ["is no deflate stream", new Uint8Array(100).fill(0xff)],
  ["gives less than a cluster", deflateRawSync(CONTENT.subarray(1))],
  ["ends in the midst of a cluster", deflateRawSync(CONTENT).subarray(0, 20)],
]);

for (const [name, stream] of BAD_STREAMS) {
  Deno.test(`QcowImage throws where what is stored ${name}`, () => {
    using folder = new TempDirectory();
    using image = opened(folder, compressedImage(stream.subarray(0, 3 * CLUSTER), 4 * CLUSTER));
    assertThrows(() => image.read(0, 512), ImageFormatError, "cannot be decompressed");
    assertEquals(image.read(CLUSTER, 1), Uint8Array.of(0));
  });
}

Deno.test("QcowImage reads a cluster from a stream that goes on, as qemu does", () => {
  using folder = new TempDirectory();
  const stream = deflateRawSync(Uint8Array.of(...CONTENT, 1));
  using image = opened(folder, compressedImage(stream, 4 * CLUSTER));
  assertEquals(image.read(0, CLUSTER), CONTENT);
});

Deno.test("QcowImage.map() throws for a compressed cluster past the end of the file", () => {
  using folder = new TempDirectory();
  using image = opened(folder, buildImage({ l2: [COMPRESSED | host(100)] }));
  assertThrows(() => image.read(0, 512), ImageFormatError, "is not in the file");
});

Deno.test("QcowImage says what it has to read where reading would wait", () => {
  using folder = new TempDirectory();
  const start = 4 * CLUSTER + 5;
  using image = opened(folder, compressedImage(STREAM, start));
  Object.defineProperty(image.file, "cacheKnowledge", { value: "unknown" });
  const request = new ReadRequest().ask(0, CLUSTER).into(new IoBuffer(CLUSTER), 0);
  const { attempt } = request;
  const missing = (): number[] => [attempt.missing.hostOffset, attempt.missing.hostBytes];

  attempt.mayWait = false;
  assertFalse(image.access.read(request));
  assertEquals(missing(), [2 * CLUSTER, CLUSTER]);

  const mapping = new Mapping();
  image.image.map(0, CLUSTER, mapping);
  assertEquals(mapping.kind, Extent.Packed);
  assertEquals([mapping.pieceStart, mapping.pieceBytes], [0, CLUSTER]);

  assertFalse(image.access.read(request));
  assertEquals(missing(), [mapping.hostOffset, mapping.hostBytes]);

  attempt.mayWait = true;
  assert(image.access.read(request));
  attempt.mayWait = false;
  request.target?.bytes.fill(0);
  assert(image.access.read(request));
  assertEquals(request.target?.bytes, CONTENT);
});

Deno.test("QcowImage reads more tables than its cache holds", () => {
  using folder = new TempDirectory();
  // one slice a table, 64 guest clusters of 512 bytes each: 32 KiB of the disk
  const tables = 40_000;
  const header = { size: tables * 32 * 1024, l1_size: tables };
  const l1Bytes = tables * 8;
  const fileClusters = 1 + l1Bytes / 512 + 3;
  const table = BigInt((1 + l1Bytes / 512) * 512);
  const bytes = buildImage({ clusterBits: 9, header, fileClusters, l1: Array(tables).fill(table) });
  const view = new DataView(bytes.buffer);
  const data = Number(table) + 512;
  for (let entry = 0; entry < 64; entry++) view.setBigUint64(Number(table) + entry * 8, 0n);
  view.setBigUint64(Number(table), BigInt(data));
  bytes.fill(9, data, data + 512);
  using image = opened(folder, bytes);
  for (let pass = 0; pass < 2; pass++) {
    for (let i = 0; i < tables; i += 7) {
      assertEquals(image.read(i * 32 * 1024 + 511, 2), Uint8Array.of(9, 0));
    }
  }
});

Deno.test("QcowImage.map() looks at a bounded part of the L1 table for one answer", () => {
  using folder = new TempDirectory();
  const tables = 100_000;
  const covers = 512 * 64;
  const header = { size: tables * covers, l1_size: tables };
  const path = folder.file("sparse.qcow2");
  Deno.writeFileSync(path, buildImage({ clusterBits: 9, header, l1: [], fileClusters: 2000 }));
  const view = new DataView(new ArrayBuffer(tables * 8));
  // The last entry is the only one: its table lies where the L1 table is empty.
  view.setBigUint64((tables - 1) * 8, 512n * 2n);
  using file = Deno.openSync(path, { write: true });
  file.seekSync(512, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(view.buffer));
  using image = new OpenedImage(path, qcow);
  const runs = [...image.extents(0, tables * covers)].map(({ mapping }) => mapping.lengthBytes);
  assert(Math.max(...runs) <= 1025 * covers, `${Math.max(...runs)}`);
  assertEquals(
    runs.slice(0, -1).reduce((sum, bytes) => sum + bytes, 0) >= (tables - 1) * covers,
    true,
  );
});

Deno.test("QcowImage goes by the reference counts it was opened with, whatever the header says now", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk.qcow2");
  Deno.writeFileSync(path, buildImage({ fileClusters: 3 }));
  Deno.truncateSync(path, 8 * CLUSTER);
  using image = new OpenedImage(path, qcow);
  const bytes = Deno.readFileSync(path);
  put(new DataView(bytes.buffer), 0, HEADER, { refcount_table_clusters: 2 ** 32 - 1 });
  put(new DataView(bytes.buffer), HEADER.sizeBytes, HEADER_V3, { refcount_order: 40 });
  Deno.writeFileSync(path, bytes.subarray(0, 3 * CLUSTER));
  Deno.truncateSync(path, 8 * CLUSTER);
  let largest = 0;
  const read: ImageFile["read"] = image.file.read.bind(image.file);
  const value: ImageFile["read"] = (target, position, hostOffset, lengthBytes) => {
    largest = Math.max(largest, lengthBytes);
    read(target, position, hostOffset, Math.min(lengthBytes, CLUSTER));
  };
  Object.defineProperty(image.file, "read", { value });
  assertEquals(image.image.fileHoles, undefined);
  assert(largest > 0 && largest <= CLUSTER, `${largest} bytes`);
});
