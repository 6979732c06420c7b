// @ts-types="../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { deflateRawSync } from "node:zlib";
import { HEADER } from "../../../src/format/qcow1/layout.ts";
import { qcow1 } from "../../../src/format/qcow1/mod.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../src/image/errors.ts";
import { Extent } from "../../../src/image/mapping.ts";
import { IMAGE_TOOLS, randomNumbers } from "../../support/images.ts";
import { must, oracleTest, run, TempDirectory } from "../../support/tools.ts";
import { OpenedImage, openImageFile, readRange, sameBytes } from "../opened_image.ts";
import { checkMap } from "../qcow/qemu_map.ts";
import { buildImage as buildVersion3, put } from "../qcow/image_builder.ts";
import { buildVersion1, type Version1Parts } from "./image_builder.ts";

const CLUSTER = 4096;
const COMPRESSED = 1n << 63n;

function host(cluster: number): bigint {
  return BigInt(cluster * CLUSTER);
}

function opened(folder: TempDirectory, parts: Version1Parts): OpenedImage {
  const path = folder.file("disk.qcow");
  Deno.writeFileSync(path, buildVersion1(parts));
  return new OpenedImage(path, qcow1);
}

Deno.test("qcow1 joins what is contiguous, and what is not allocated", () => {
  using folder = new TempDirectory();
  using image = opened(folder, { l2: [host(3), host(4), 0n, 0n, host(6), host(5) + 512n] });
  const runs = [...image.extents(0, 6 * CLUSTER)].map(({ mapping }) => [
    mapping.kind,
    mapping.lengthBytes / CLUSTER,
  ]);
  const { Data, Backing } = Extent;
  assertEquals(runs, [[Data, 2], [Backing, 2], [Data, 1], [Data, 1]]);
  assertEquals(image.read(CLUSTER - 1, 2), Uint8Array.of(3, 4));
  assertEquals(image.read(6 * CLUSTER - 513, 2), Uint8Array.of(5, 6));
});

Deno.test("qcow1 decompresses clusters, whose length is exact", () => {
  using folder = new TempDirectory();
  const content = Uint8Array.from({ length: CLUSTER }, (_, index) => (index * index) >> 4);
  const stored = deflateRawSync(content);
  const place = 3 * CLUSTER + 777;
  const entry = COMPRESSED | BigInt(stored.length) << 51n | BigInt(place);
  const short = COMPRESSED | BigInt(stored.length - 9) << 51n | BigInt(place);
  using image = opened(folder, { l2: [entry, short, COMPRESSED | host(4)], at: [[place, stored]] });
  assertEquals(image.read(0, CLUSTER), content);
  assertEquals(image.read(100, 3), content.slice(100, 103));
  for (const cluster of [1, 2]) {
    assertThrows(
      () => image.read(cluster * CLUSTER, 1),
      ImageFormatError,
      "cannot be decompressed",
    );
  }
});

const DAMAGED: readonly [message: string, parts: Version1Parts][] = [
  ["this is no QCOW image", { header: { magic: 1 } }],
  ["the disk is empty", { header: { size: 1 } }],
  ["clusters of 2^8 bytes are not possible", { header: { cluster_bits: 8 } }],
  ["clusters of 2^17 bytes are not possible", { header: { cluster_bits: 17 } }],
  ["L2 tables of 2^5 entries are not possible", { header: { l2_bits: 5 } }],
  ["L2 tables of 2^14 entries are not possible", { header: { l2_bits: 14 } }],
  ["encryption method 2 is not possible", { header: { crypt_method: 2 } }],
  ["L1 table too large", { header: { size: 2 ** 50 } }],
  ["the L1 table lies outside the file", { header: { l1_table_offset: 2 ** 40 } }],
  ["the backing file name is too long", {
    header: { backing_file_offset: 64, backing_file_size: 1024 },
  }],
  ["the backing file name lies outside the file", {
    header: { backing_file_offset: 2 ** 40, backing_file_size: 4 },
  }],
];

for (const [message, parts] of DAMAGED) {
  Deno.test(`qcow1 refuses damage: ${message}`, () => {
    using folder = new TempDirectory();
    assertThrows(() => opened(folder, parts), ImageFormatError, message);
  });
}

Deno.test("qcow1 refuses files too short for a header", () => {
  using folder = new TempDirectory();
  const path = folder.file("short");
  Deno.writeFileSync(path, buildVersion1({}).subarray(0, HEADER.sizeBytes - 1));
  assertThrows(() => new OpenedImage(path, qcow1), ImageFormatError, "too short");
});

Deno.test("qcow1 refuses other versions, snapshots, and backing files where none can be opened", () => {
  using folder = new TempDirectory();
  const path = folder.file("disk.qcow");
  Deno.writeFileSync(path, buildVersion3());
  assertThrows(() => new OpenedImage(path, qcow1), UnsupportedFeatureError, "version 3");
  Deno.writeFileSync(path, buildVersion1({}));
  const options = { readOnly: true, snapshot: "1" };
  assertThrows(() => new OpenedImage(path, qcow1, options), UnsupportedFeatureError, "snapshots");
  const header = { backing_file_offset: 64, backing_file_size: 4 };
  Deno.writeFileSync(path, buildVersion1({ header, at: [[64, new TextEncoder().encode("base")]] }));
  assertThrows(() => new OpenedImage(path, qcow1), UnsupportedFeatureError, "a backing file");
});

Deno.test("qcow1 refuses disks that are too large, and describes them all the same", () => {
  using folder = new TempDirectory();
  const parts = { header: { size: 2n ** 63n + 513n } };
  assertThrows(() => opened(folder, parts), UnsupportedFeatureError, "a disk of 8 PiB or more");
  const path = folder.file("large.qcow");
  Deno.writeFileSync(path, buildVersion1(parts));
  using file = openImageFile(path);
  assertEquals(qcow1.info?.(file).sizeBytes, 2n ** 63n + 512n);
});

const BAD_PLACES: readonly [name: string, parts: Version1Parts][] = [
  ["a table past the end of the file", { l1: [host(100)] }],
  ["a table far past the end of the file", { l1: [(1n << 63n) - 512n] }],
  ["a cluster that does not start with a sector", { l2: [host(3) + 1n] }],
  ["a cluster far past the end of any file", { l2: [1n << 62n] }],
  ["a compressed cluster past the end of the file", { l2: [COMPRESSED | 9n << 51n | host(100)] }],
];

for (const [name, parts] of BAD_PLACES) {
  Deno.test(`qcow1 throws at ${name}`, () => {
    using folder = new TempDirectory();
    using image = opened(folder, parts);
    assertThrows(() => image.read(0, 512), ImageFormatError);
  });
}

/** Both the cluster and the table sizes that qemu never makes: it makes only 12, 9 and 9, 12. */
const GEOMETRIES = [[9, 6], [9, 13], [10, 9], [12, 12], [16, 6], [16, 13]] as const;

for (const [cluster_bits, l2_bits] of GEOMETRIES) {
  const title = `qcow1 and qemu agree on clusters of 2^${cluster_bits}, tables of 2^${l2_bits}`;
  oracleTest(title, IMAGE_TOOLS, async () => {
    using folder = new TempDirectory();
    const path = folder.file("disk.qcow");
    const sizeBytes = Math.min(40 * 2 ** (cluster_bits + l2_bits), 2 ** 24) + 512;
    const bytes = new Uint8Array(4096 + 512 * 64);
    put(new DataView(bytes.buffer), 0, HEADER, {
      magic: 0x514649fb,
      version: 1,
      size: sizeBytes,
      cluster_bits,
      l2_bits,
      l1_table_offset: 56,
    });
    Deno.writeFileSync(path, bytes);
    await fillAndCompare(folder, path, sizeBytes, cluster_bits * 100 + l2_bits);
  });
}

oracleTest("qcow1 and qemu agree on images with compressed clusters", IMAGE_TOOLS, async () => {
  for (const seed of [1, 2, 3]) {
    using folder = new TempDirectory();
    const path = folder.file("disk.qcow");
    const pattern = folder.file("pattern");
    const random = randomNumbers(seed);
    const sizeBytes = 4 * 1024 * 1024 + seed * 512;
    Deno.writeFileSync(
      pattern,
      Uint8Array.from({ length: 1000 }, (_, index) => index & 128 ? random() * 256 : 97),
    );
    await must("qemu-img", "create", "-q", "-f", "qcow", path, `${sizeBytes}`);
    const commands: string[] = [];
    for (let start = 0; start + CLUSTER < sizeBytes; start += CLUSTER) {
      const what = random() < 0.5 ? `-s ${pattern}` : `-P ${Math.floor(random() * 255)}`;
      if (random() < 0.6) commands.push("-c", `write -c ${what} ${start} ${CLUSTER}`);
    }
    await must("qemu-io", "-t", "unsafe", "-f", "qcow", ...commands, path);
    await fillAndCompare(folder, path, sizeBytes, seed);
  }
});

async function fillAndCompare(
  folder: TempDirectory,
  path: string,
  sizeBytes: number,
  seed: number,
): Promise<void> {
  const random = randomNumbers(seed);
  const commands = Array.from({ length: 20 }, () => {
    const start = Math.floor(random() * sizeBytes / 512);
    const count = Math.min(1 + Math.floor(random() * 200), Math.floor(sizeBytes / 512) - start);
    return ["-c", `write -P ${Math.floor(random() * 255)} ${start * 512} ${count * 512}`];
  });
  await must("qemu-io", "-t", "unsafe", "-f", "qcow", ...commands.flat(), path);
  const raw = folder.file("disk.raw");
  await must("qemu-img", "convert", "-f", "qcow", "-O", "raw", path, raw);
  using image = new OpenedImage(path, qcow1);
  assertEquals(image.image.sizeBytes, sizeBytes);
  assert(sameBytes(image.read(0, sizeBytes), readRange(raw, 0, sizeBytes)));
  for (let i = 0; i < 100; i++) {
    const offset = Math.floor(random() * sizeBytes);
    const lengthBytes = Math.min(1 + Math.floor(random() * 9000), sizeBytes - offset);
    assert(sameBytes(image.read(offset, lengthBytes), readRange(raw, offset, lengthBytes)));
  }
  await checkMap(image, path, "qcow");
}

const ODD: readonly [name: string, parts: Version1Parts][] = [
  ["an ordinary image", { l2: [host(3)] }],
  ["a cluster between clusters", { l2: [host(3) + 512n] }],
  ["a cluster that does not start with a sector", { l2: [host(3) + 256n] }],
  ["a cluster past the end of the file", { l2: [host(100)] }],
  ["a compressed cluster of garbage", { l2: [COMPRESSED | 9n << 51n | host(3)] }],
  ["a compressed cluster of nothing", { l2: [COMPRESSED | host(3)] }],
  ["a size that is no whole sector", { header: { size: 5000 }, l2: [host(3)] }],
  ["a size of two bytes", { header: { size: 2 } }],
  ["a table that is not aligned", { l1: [host(2) + 8n], l2: [0n, host(3)] }],
  ["an unknown encryption method", { header: { crypt_method: 2 } }],
  ["large clusters", { header: { cluster_bits: 17 } }],
  ["small tables", { header: { l2_bits: 5 } }],
  ["an empty disk", { header: { size: 0 } }],
];

for (const [name, parts] of ODD) {
  oracleTest(`qcow1 and qemu agree on ${name}`, IMAGE_TOOLS, async () => {
    using folder = new TempDirectory();
    const path = folder.file("odd.qcow");
    Deno.writeFileSync(path, buildVersion1(parts));
    assertEquals(ourAnswer(path), await answerOfQemu(path));
  });
}

/** Size and first bytes of the disk, or undefined for one that cannot be read there. */
type Answer = { readonly sizeBytes: number; readonly first: string } | undefined;

function ourAnswer(path: string): Answer {
  try {
    using image = new OpenedImage(path, qcow1);
    const { sizeBytes } = image.image;
    const bytes = image.read(0, Math.min(16, sizeBytes));
    const first = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    return { sizeBytes, first };
  } catch (error) {
    if (error instanceof ImageFormatError) return undefined;
    throw error;
  }
}

async function answerOfQemu(path: string): Promise<Answer> {
  const info = await run("qemu-img", "info", "-f", "qcow", "--output=json", path);
  if (info.code !== 0) return undefined;
  const sizeBytes: number = JSON.parse(info.stdout)["virtual-size"];
  if (sizeBytes === 0) return { sizeBytes, first: "" };
  const { code, stdout } = await run("qemu-io", "-r", "-f", "qcow", "-c", "read -v 0 16", path);
  const first = /^0+:\s+((?:[0-9a-f]{2}\s+){16})/m.exec(stdout)?.[1]?.trim();
  return code === 0 && first !== undefined ? { sizeBytes, first } : undefined;
}
