// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Feature, HEADER } from "../../../../src/format/qed/layout.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../../src/image/errors.ts";
import { SystemError } from "../../../../src/sys/errno.ts";
import { IMAGE_TOOLS } from "../../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { virtualBoxTest } from "../../../support/virtualbox.ts";
import { sameBytes } from "../../opened_image.ts";
import { Random, stampedBytes } from "../../qcow/write/random_ops.ts";
import { openForWriting, WritableDisk } from "../../qcow/write/writable_disk.ts";
import { writeAtRandom, writeByQemu } from "../../written_in_turn.ts";
import { buildQed, CLUSTER, DATA, L1, L2, place, type QedParts } from "../image_builder.ts";
import { judgeQed } from "./checker.ts";

const MIB = 1024 * 1024;
const QED = { request: { format: "QED" } } as const;

for (const option of ["cluster_size=4k,table_size=2", "cluster_size=64k", "cluster_size=1M"]) {
  oracleTest(`qed and qemu write in turn: ${option}`, IMAGE_TOOLS, async () => {
    using folder = new TempDirectory();
    const path = folder.file("disk.qed");
    const sizeBytes = 9 * MIB + 512;
    await must("qemu-img", "create", "-q", "-f", "qed", "-o", option, path, `${sizeBytes}`);
    const model = new Uint8Array(sizeBytes);
    const random = new Random(option.length);
    for (let round = 0; round < 3; round++) {
      const disk = new WritableDisk(path, QED);
      writeAtRandom(disk, model, random, 8);
      assert(sameBytes(disk.read(0, sizeBytes), model), "read back");
      assert(disk.close());
      await must("qemu-img", "check", "-q", "-f", "qed", path);
      await writeByQemu(path, "qed", model, random);
    }
    const raw = folder.file("raw");
    await must("qemu-img", "convert", "-f", "qed", "-O", "raw", path, raw);
    assert(sameBytes(Deno.readFileSync(raw), model), "qemu reads other bytes");
  });
}

virtualBoxTest("VirtualBox reads what qed has written", async (box) => {
  const sizeBytes = 8 * MIB;
  const model = new Uint8Array(sizeBytes);
  const [raw, path] = [box.file("disk.raw"), box.file("disk.qed")];
  Deno.writeFileSync(raw, model);
  await box.convert(raw, "RAW", path, "--dstformat", "QED");
  const disk = new WritableDisk(path, QED);
  writeAtRandom(disk, model, new Random(3), 8);
  assert(disk.close());
  const theirs = await box.rawCopy(path);
  assert(sameBytes(Deno.readFileSync(theirs), model), "VirtualBox reads other bytes");
});

function built(folder: TempDirectory, parts: QedParts = {}): string {
  const path = folder.file("built.qed");
  Deno.writeFileSync(path, buildQed(parts));
  return path;
}

function header(path: string): ReturnType<typeof HEADER.read> {
  return HEADER.read(new DataView(Deno.readFileSync(path).buffer), 0);
}

function entry(path: string, at: number): bigint {
  return new DataView(Deno.readFileSync(path).buffer).getBigUint64(at, true);
}

Deno.test("qed says that an image has to be checked while it is written to, and not before", () => {
  using folder = new TempDirectory();
  const autoclear = { autoclear_features: 5n, compat_features: 3n };
  const path = built(folder, { l2: [place(0)], header: autoclear });
  const before = Deno.readFileSync(path);
  const untouched = new WritableDisk(path, QED);
  untouched.read(0, 512);
  assert(untouched.close());
  assertEquals(Deno.readFileSync(path), before);
  const disk = new WritableDisk(path, QED);
  disk.write(0, new Uint8Array(512));
  const open = header(path);
  assertEquals(
    [open.features, open.autoclear_features, open.compat_features],
    [Feature.needCheck, 0n, 3n],
  );
  assert(disk.close());
  assertEquals(header(path).features, 0n);
});

Deno.test("qed has its mark be durable before anything is changed", () => {
  using folder = new TempDirectory();
  const path = built(folder, { l2: [] });
  const file = openForWriting(path);
  const steps: string[] = [];
  const [write, sync] = [file.write.bind(file), file.sync.bind(file)];
  file.write = (...words) => {
    steps.push(words[2] === HEADER.offsets.features ? "mark" : "write");
    return write(...words);
  };
  file.sync = () => {
    steps.push("sync");
    return sync();
  };
  using disk = new WritableDisk(path, { ...QED, file });
  disk.write(0, new Uint8Array(512));
  assertEquals(steps.slice(0, 3), ["mark", "sync", "write"]);
});

Deno.test("qed copies the rest of a cluster from below, and has zeros there at no cost", () => {
  using folder = new TempDirectory();
  const path = built(folder, { l1: [0n], stored: 0, backing: "base" });
  Deno.writeFileSync(folder.file("base"), new Uint8Array(16 * CLUSTER).fill(7));
  const disk = new WritableDisk(path, QED);
  disk.writeZeros(CLUSTER, 2 * CLUSTER);
  disk.discard(3 * CLUSTER, CLUSTER);
  disk.write(100, Uint8Array.of(9, 9));
  const expected = new Uint8Array(4 * CLUSTER).fill(7);
  expected.fill(0, CLUSTER, 3 * CLUSTER).fill(9, 100, 102);
  assertEquals(disk.read(0, 4 * CLUSTER), expected);
  assert(disk.close());
  const table = Number(entry(path, L1));
  assertEquals([1, 2, 3].map((index) => entry(path, table + 8 * index)), [1n, 1n, 0n]);
  assertEquals(judgeQed(Deno.readFileSync(path)), { faults: [], leaks: 0, needsCheck: false });
  assertEquals(Deno.statSync(path).size, 4 * CLUSTER);
});

Deno.test("qed writes into zeros over a backing file, and the rest stays zeros", () => {
  using folder = new TempDirectory();
  const path = built(folder, { l2: [1n, 1n], stored: 0, backing: "base" });
  Deno.writeFileSync(folder.file("base"), new Uint8Array(16 * CLUSTER).fill(7));
  const disk = new WritableDisk(path, QED);
  disk.write(100, Uint8Array.of(9));
  const expected = new Uint8Array(2 * CLUSTER);
  expected[100] = 9;
  assertEquals(disk.read(0, 2 * CLUSTER), expected);
  assert(disk.close());
  assertEquals([entry(path, L2), entry(path, L2 + 8)], [place(0), 1n]);
});

Deno.test("qed keeps what was answered when its daemon is killed, if nothing is below", () => {
  using folder = new TempDirectory();
  const path = built(folder, { l1: [0n], stored: 0 });
  {
    using disk = new WritableDisk(path, QED);
    for (let n = 0; n < 16; n++) disk.write(n * CLUSTER, stampedBytes(n * CLUSTER, CLUSTER, n + 1));
  }
  using disk = new WritableDisk(path, QED);
  for (let n = 0; n < 16; n++) {
    assertEquals(disk.read(n * CLUSTER, CLUSTER), stampedBytes(n * CLUSTER, CLUSTER, n + 1));
  }
});

Deno.test("qed repairs an image that was not closed in order before it is written to", () => {
  using folder = new TempDirectory();
  const features = Feature.needCheck;
  const path = built(folder, {
    header: { features },
    l2: [place(0), 1n << 40n],
    l1: [BigInt(L2), 512n],
  });
  const disk = new WritableDisk(path, QED);
  assertEquals(disk.access.warnings, [
    "the image was not closed in order: 2 faults and 0 leaked clusters were repaired",
  ]);
  assertEquals(disk.read(0, 2 * CLUSTER), new Uint8Array(2 * CLUSTER).fill(1, 0, CLUSTER));
  assert(disk.close());
  assertEquals([entry(path, L2 + 8), entry(path, L1 + 8), header(path).features], [0n, 0n, 0n]);
});

Deno.test("qed has no room on what cannot get longer, but writes to what is there", () => {
  using folder = new TempDirectory();
  const path = built(folder, { l2: [place(0)], stored: 1 });
  const file = openForWriting(path);
  Object.defineProperty(file, "canGrow", { value: false });
  using disk = new WritableDisk(path, { ...QED, file });
  disk.write(100, new Uint8Array(10).fill(9));
  assertThrows(() => disk.write(CLUSTER, new Uint8Array(10)), SystemError, "No space left");
  assertEquals(disk.read(CLUSTER, 1), Uint8Array.of(0));
});

Deno.test("qed frees what is discarded where it is", () => {
  using folder = new TempDirectory();
  const path = built(folder, { l2: [place(0), place(1), place(2)], stored: 3 });
  const blocks = Deno.statSync(path).blocks ?? 0;
  const disk = new WritableDisk(path, QED);
  disk.discard(0, 2 * CLUSTER);
  assertEquals(disk.read(0, 3 * CLUSTER), new Uint8Array(3 * CLUSTER).fill(3, 2 * CLUSTER));
  assert(disk.close());
  assert((Deno.statSync(path).blocks ?? 0) < blocks);
  assertEquals(Deno.statSync(path).size, DATA + 3 * CLUSTER);
});

const DIRTY = { features: Feature.needCheck };
const REFUSED: readonly [message: string, parts: QedParts][] = [
  ["1 entries of its tables are damaged", { l2: [place(0), place(0)] }],
  ["2 entries of its tables are damaged", { l2: [BigInt(L2), BigInt(L1)] }],
  ["1 entries of its tables are damaged", { l2: [place(9)] }],
  ["1 entries of its tables are damaged", { l1: [BigInt(L1)] }],
  ["1 entries of its tables are damaged", { l2: [place(0), place(0)], header: DIRTY }],
];

for (const [index, [message, parts]] of REFUSED.entries()) {
  Deno.test(`qed does not write to a damaged image, nor repair it in part: ${message}, ${index}`, () => {
    using folder = new TempDirectory();
    const path = built(folder, parts);
    const before = Deno.readFileSync(path);
    assertThrows(() => new WritableDisk(path, QED), ImageFormatError, message);
    using readable = new WritableDisk(path, { request: { format: "QED", readOnly: true } });
    assertEquals(readable.sizeBytes, 16 * CLUSTER);
    assertEquals(Deno.readFileSync(path), before);
  });
}

Deno.test("qed does not write to clusters too large to be copied", () => {
  using folder = new TempDirectory();
  const cluster = 2 ** 25;
  const path = built(folder, {
    header: { cluster_size: cluster, l1_table_offset: BigInt(cluster) },
  });
  Deno.truncateSync(path, 2 * cluster);
  assertThrows(() => new WritableDisk(path, QED), UnsupportedFeatureError, "33554432 bytes");
});
