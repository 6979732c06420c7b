// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  FEATURE_DIRTY_BITMAP,
  FLAG_EMPTY,
  HEADER,
  IN_USE,
} from "../../../../src/format/parallels/layout.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../../src/image/errors.ts";
import { SystemError } from "../../../../src/sys/errno.ts";
import { IMAGE_TOOLS } from "../../../support/images.ts";
import { must, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { virtualBoxTest } from "../../../support/virtualbox.ts";
import { sameBytes } from "../../opened_image.ts";
import { Random } from "../../qcow/write/random_ops.ts";
import { openForWriting, WritableDisk } from "../../qcow/write/writable_disk.ts";
import { writeAtRandom, writeByQemu } from "../../written_in_turn.ts";
import { buildParallels, entryOf, type ParallelsParts } from "../image_builder.ts";
import { judgeParallels } from "./checker.ts";

const MIB = 1024 * 1024;
const CLUSTER = 4096;
const PARALLELS = { request: { format: "PARALLELS" } } as const;
/** What Parallels has in `inuse` of an image that it has closed. */
const CLOSED = 0x312e3276;

for (const option of ["cluster_size=4k", "cluster_size=1M", "cluster_size=1536k"]) {
  oracleTest(`parallels and qemu write in turn: ${option}`, IMAGE_TOOLS, async () => {
    using folder = new TempDirectory();
    const path = folder.file("disk.hds");
    const sizeBytes = 9 * MIB + 512;
    await must("qemu-img", "create", "-q", "-f", "parallels", "-o", option, path, `${sizeBytes}`);
    const model = new Uint8Array(sizeBytes);
    const random = new Random(option.length);
    for (let round = 0; round < 3; round++) {
      const disk = new WritableDisk(path, PARALLELS);
      writeAtRandom(disk, model, random, 8);
      assert(sameBytes(disk.read(0, sizeBytes), model), "read back");
      assert(disk.close());
      await must("qemu-img", "check", "-q", "-f", "parallels", path);
      await writeByQemu(path, "parallels", model, random);
    }
    const raw = folder.file("raw");
    await must("qemu-img", "convert", "-f", "parallels", "-O", "raw", path, raw);
    assert(sameBytes(Deno.readFileSync(raw), model), "qemu reads other bytes");
  });
}

virtualBoxTest("VirtualBox reads what parallels has written", async (box) => {
  const sizeBytes = 8 * MIB;
  const model = new Uint8Array(sizeBytes);
  const [raw, path] = [box.file("disk.raw"), box.file("disk.hdd")];
  Deno.writeFileSync(raw, model);
  await box.convert(raw, "RAW", path, "--dstformat", "Parallels");
  const disk = new WritableDisk(path, PARALLELS);
  writeAtRandom(disk, model, new Random(3), 8);
  assert(sameBytes(disk.read(0, sizeBytes), model));
  assert(disk.close());
  const theirs = await box.rawCopy(path);
  assert(sameBytes(Deno.readFileSync(theirs), model), "VirtualBox reads other bytes");
});

function built(folder: TempDirectory, parts: ParallelsParts = {}): string {
  const path = folder.file("built.hds");
  Deno.writeFileSync(path, buildParallels(parts));
  return path;
}

function header(path: string): ReturnType<typeof HEADER.read> {
  return HEADER.read(new DataView(Deno.readFileSync(path).buffer), 0);
}

function entry(path: string, cluster: number): number {
  return new DataView(Deno.readFileSync(path).buffer).getUint32(64 + 4 * cluster, true);
}

for (const [inuse, after] of [[0, 0], [CLOSED, CLOSED], [IN_USE, 0]] as const) {
  Deno.test(`parallels says that an image is in use while it is written to: ${inuse}`, () => {
    using folder = new TempDirectory();
    const path = built(folder, { bat: [0], header: { inuse, flags: 4 | FLAG_EMPTY } });
    const before = Deno.readFileSync(path);
    const untouched = new WritableDisk(path, PARALLELS);
    untouched.read(0, 512);
    assert(untouched.close());
    assertEquals(Deno.readFileSync(path), before);
    const disk = new WritableDisk(path, PARALLELS);
    assertEquals(disk.access.warnings.length, inuse === IN_USE ? 1 : 0);
    disk.write(0, new Uint8Array(512));
    assertEquals([header(path).inuse, header(path).flags], [IN_USE, 4]);
    assert(disk.close());
    assertEquals(header(path).inuse, after);
  });
}

for (const kind of [{}, { isOld: true }, { tracks: 63 }, { isOld: true, tracks: 63 }]) {
  Deno.test(`parallels gives new clusters places behind all others: ${JSON.stringify(kind)}`, () => {
    using folder = new TempDirectory();
    const parts = { ...kind, bat: [2, undefined, 0], stored: 4 };
    const path = built(folder, parts);
    const cluster = (parts.tracks ?? 8) * 512;
    const disk = new WritableDisk(path, PARALLELS);
    disk.write(cluster + 100, Uint8Array.of(9, 9));
    disk.write(5 * cluster - 1, new Uint8Array(cluster + 2).fill(7));
    const model = new Uint8Array(8 * cluster);
    model.fill(3, 0, cluster).fill(1, 2 * cluster, 3 * cluster);
    model.fill(9, cluster + 100, cluster + 102).fill(7, 5 * cluster - 1, 6 * cluster + 1);
    assertEquals(disk.read(0, model.length), model);
    assert(disk.close());
    // The fourth one that is stored is nobody's.
    const entries = [1, 4, 5, 6].map((n) => entry(path, n));
    assertEquals(entries, [3, 4, 5, 6].map((n) => entryOf(n, parts)));
    const { faults, leakedBytes } = judgeParallels(Deno.readFileSync(path));
    assertEquals([faults, leakedBytes], [[], 0]);
    const again = new WritableDisk(path, PARALLELS);
    assertEquals(again.read(0, model.length), model);
    assert(again.close());
  });
}

Deno.test("parallels frees what is discarded where it is", () => {
  using folder = new TempDirectory();
  const path = built(folder, { bat: [2, 0, 1] });
  const blocks = Deno.statSync(path).blocks ?? 0;
  const disk = new WritableDisk(path, PARALLELS);
  disk.discard(0, 2 * CLUSTER);
  assertEquals(disk.read(0, 2 * CLUSTER), new Uint8Array(2 * CLUSTER));
  assert(disk.close());
  assert((Deno.statSync(path).blocks ?? 0) < blocks);
  assertEquals([0, 1, 2].map((n) => entry(path, n)), [3, 1, 2]);
});

Deno.test("parallels gives back what a write had that failed, and cuts it off in the end", () => {
  using folder = new TempDirectory();
  const path = built(folder, { bat: [0], stored: 1 });
  const file = openForWriting(path);
  const disk = new WritableDisk(path, { ...PARALLELS, file });
  disk.write(0, new Uint8Array(10));
  const write = file.write.bind(file);
  file.write = () => {
    throw new SystemError("write", 28, path);
  };
  for (let n = 0; n < 20; n++) {
    assertThrows(() => disk.write(CLUSTER, new Uint8Array(2 * CLUSTER).fill(2)), SystemError);
  }
  file.write = write;
  disk.write(3 * CLUSTER, new Uint8Array(10).fill(3));
  assert(disk.close());
  const { faults, leakedBytes } = judgeParallels(Deno.readFileSync(path));
  assertEquals([faults, leakedBytes, Deno.statSync(path).size], [[], 0, 3 * CLUSTER]);
});

Deno.test("parallels has no room on what cannot get longer, but writes to what is there", () => {
  using folder = new TempDirectory();
  const path = built(folder, { bat: [0], stored: 1 });
  const file = openForWriting(path);
  Object.defineProperty(file, "canGrow", { value: false });
  using disk = new WritableDisk(path, { ...PARALLELS, file });
  disk.write(100, new Uint8Array(10).fill(9));
  assertThrows(() => disk.write(CLUSTER, new Uint8Array(10)), SystemError, "No space left");
  assertEquals(disk.read(CLUSTER, 1), Uint8Array.of(0));
});

const DAMAGED: readonly [message: string, parts: ParallelsParts][] = [
  ["is stored for two clusters of the disk", { bat: [1, 1] }],
  ["is stored for two clusters of the disk", { bat: [1, 1.5], isOld: true }],
  ["cannot be in the file", { bat: [4] }],
  ["cannot be in the file", { bat: [0], header: { data_off: 16 } }],
];

for (const [message, parts] of DAMAGED) {
  Deno.test(`parallels does not write to a damaged image: ${message}, ${parts.bat}`, () => {
    using folder = new TempDirectory();
    const path = built(folder, parts);
    assertThrows(() => new WritableDisk(path, PARALLELS), ImageFormatError, message);
    const request = { format: "PARALLELS", readOnly: true };
    using readable = new WritableDisk(path, { request });
    assertEquals(readable.sizeBytes, 16 * CLUSTER);
  });
}

const UNWRITABLE: readonly [message: string, parts: ParallelsParts][] = [
  ["clusters of 33554432 bytes", { header: { tracks: 65536 } }],
  ["disks longer than the BAT", { header: { nb_sectors: 1000n } }],
  ["extensions", { features: [{ magic: FEATURE_DIRTY_BITMAP, flags: 0n, data_size: 0 }] }],
];

for (const [message, parts] of UNWRITABLE) {
  Deno.test(`parallels only reads images with ${message}`, () => {
    using folder = new TempDirectory();
    const path = built(folder, parts);
    assertThrows(() => new WritableDisk(path, PARALLELS), UnsupportedFeatureError, message);
  });
}
