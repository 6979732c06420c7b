// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { SNAPSHOT, SNAPSHOT_EXTRA } from "../../../../src/format/qcow/layout.ts";
import { qcow } from "../../../../src/format/qcow/mod.ts";
import { listSnapshots, readSnapshots } from "../../../../src/format/qcow/snapshots/read.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../../src/image/errors.ts";
import { IMAGE_TOOLS, makeImage } from "../../../support/images.ts";
import { must, oracleTest, run, TempDirectory } from "../../../support/tools.ts";
import { OpenedImage, openImageFile, readRange, sameBytes } from "../../opened_image.ts";
import { buildImage, put } from "../image_builder.ts";

const CLUSTER = 4096;
const TABLE = 6 * CLUSTER;
const READ_ONLY = { readOnly: true };

interface Entry {
  readonly id?: string;
  readonly name?: string;
  readonly fields?: Partial<Record<keyof typeof SNAPSHOT.offsets, number | bigint>>;
  readonly extra?: Partial<Record<keyof typeof SNAPSHOT_EXTRA.offsets, number | bigint>>;
  readonly extraBytes?: number;
}

/**
 * An image with snapshots, whose active disk has cluster 3 first; by default a snapshot shares its
 * L1 table.
 */
function imageWith(entries: readonly Entry[], header = {}): Uint8Array<ArrayBuffer> {
  const bytes = buildImage({
    l2: [BigInt(3 * CLUSTER)],
    header: { nb_snapshots: entries.length, snapshots_offset: TABLE, ...header },
    fileClusters: 10,
  });
  const view = new DataView(bytes.buffer);
  let at = TABLE;
  for (const { id = "1", name = "one", fields, extra, extraBytes = 16 } of entries) {
    bytes.fill(0, at, at + 100 + extraBytes);
    put(view, at, SNAPSHOT, {
      l1_table_offset: CLUSTER,
      l1_size: 1,
      id_str_size: id.length,
      name_size: name.length,
      extra_data_size: extraBytes,
      ...fields,
    });
    at += SNAPSHOT.sizeBytes;
    const sized = { disk_size: 4 * CLUSTER, ...extra };
    if (extraBytes > 0) put(view, at, SNAPSHOT_EXTRA, sized);
    bytes.fill(0, at + extraBytes, at + SNAPSHOT_EXTRA.sizeBytes);
    at += extraBytes;
    bytes.set(new TextEncoder().encode(id + name), at);
    at = Math.ceil((at + id.length + name.length) / 8) * 8;
  }
  return bytes;
}

function written(folder: TempDirectory, bytes: Uint8Array): string {
  const path = folder.file("disk.qcow2");
  Deno.writeFileSync(path, bytes);
  return path;
}

function opened(folder: TempDirectory, bytes: Uint8Array, snapshot: string): OpenedImage {
  return new OpenedImage(written(folder, bytes), qcow, { ...READ_ONLY, snapshot });
}

Deno.test("readSnapshots() reads entries of any length, and what they have of the extra data", () => {
  using folder = new TempDirectory();
  const fields = { vm_state_size: 5, date_sec: 7, date_nsec: 8, vm_clock_nsec: 3_000_000_009n };
  const large = { vm_state_size_large: 2n ** 33n, icount: 77 };
  const entries = [
    { id: "1", name: "short", fields, extraBytes: 0 },
    { id: "22", name: "with a size", fields, extra: large, extraBytes: 16 },
    { id: "x", name: "", fields, extra: large, extraBytes: 24 },
    { id: "4", name: "more", fields, extra: large, extraBytes: 64 },
  ];
  using file = openImageFile(written(folder, imageWith(entries)));
  const snapshots = [...readSnapshots(file, { offset: TABLE, entries: 4 })];
  const times = {
    dateSeconds: 7,
    dateNanoseconds: 8,
    vmClockSeconds: 3,
    vmClockNanoseconds: 9,
  };
  assertEquals(snapshots.map(({ info }) => info), [
    { id: "1", name: "short", vmStateBytes: 5, ...times },
    { id: "22", name: "with a size", vmStateBytes: 2 ** 33, ...times },
    { id: "x", name: "", vmStateBytes: 2 ** 33, ...times, icount: 77 },
    { id: "4", name: "more", vmStateBytes: 2 ** 33, ...times, icount: 77 },
  ]);
  const size = BigInt(4 * CLUSTER);
  assertEquals(snapshots.map(({ diskBytes }) => diskBytes), [undefined, size, size, size]);
});

Deno.test("a snapshot is found by its identifier first, then by its name, as in qemu", () => {
  using folder = new TempDirectory();
  const sized = (sectors: number): { disk_size: number } => ({ disk_size: sectors * 512 });
  const bytes = imageWith([
    { id: "1", name: "2", extra: sized(1) },
    { id: "2", name: "two", extra: sized(2) },
    { id: "3", name: "two", extra: sized(3) },
  ]);
  for (const [wanted, sectors] of [["1", 1], ["2", 2], ["two", 2], ["3", 3]] as const) {
    using image = opened(folder, bytes, wanted);
    assertEquals(image.image.sizeBytes, sectors * 512);
  }
});

Deno.test("a snapshot that is not there: the error lists those that are", () => {
  using folder = new TempDirectory();
  const bytes = imageWith([{ id: "1", name: "be\x1bfore" }, { id: "2", name: "after" }]);
  const message = "there is no snapshot 'x'; the image has 1 (be\x1bfore), 2 (after)";
  assertThrows(() => opened(folder, bytes, "x"), ImageFormatError, message);
  assertThrows(() => opened(folder, buildImage(), "x"), ImageFormatError, "the image has none");
  const many = imageWith(Array.from({ length: 30 }, (_, n) => ({ id: `${n}`, name: "s" })));
  assertThrows(() => opened(folder, many, "x"), ImageFormatError, "19 (s), and 10 more");
});

Deno.test("a snapshot that is not there: the error shows what names begin with", () => {
  using folder = new TempDirectory();
  const long = imageWith([{ id: "i".repeat(65), name: "n".repeat(1000) }]);
  const message = `the image has ${"i".repeat(64)}... (${"n".repeat(64)}...)`;
  assertThrows(() => opened(folder, long, "x"), ImageFormatError, message);
});

Deno.test("listSnapshots() takes no more memory than there is left", () => {
  using folder = new TempDirectory();
  const entries = Array.from({ length: 4 }, (_, n) => ({ id: `${n}`, name: "x".repeat(100) }));
  using file = openImageFile(written(folder, imageWith(entries)));
  let reserved = 0;
  const memory = {
    reserveMemory: (lengthBytes: number): void => {
      reserved += lengthBytes;
      if (reserved > 4000) throw new RangeError("too much");
    },
  };
  const table = { offset: TABLE, entries: 3 };
  assertEquals(listSnapshots(file, table, memory).map(({ id }) => id), ["0", "1", "2"]);
  reserved = 0;
  assertThrows(() => listSnapshots(file, { ...table, entries: 4 }, memory), RangeError, "too much");
});

Deno.test("a snapshot without a size of its own is as large as the disk", () => {
  using folder = new TempDirectory();
  using image = opened(folder, imageWith([{ extraBytes: 8 }]), "one");
  assertEquals(image.image.sizeBytes, 2 * 1024 * 1024);
  assertEquals(image.read(0, 1), Uint8Array.of(3));
});

Deno.test("a snapshot reads zeros where its L1 table ends before its disk", () => {
  using folder = new TempDirectory();
  const disk_size = 5 * CLUSTER * CLUSTER / 8;
  using image = opened(folder, imageWith([{ extra: { disk_size } }]), "1");
  assertEquals(image.read(0, 1), Uint8Array.of(3));
  const zeros = image.read(disk_size - 3 * 1024 * 1024, 3 * 1024 * 1024);
  assert(zeros.every((byte) => byte === 0));
  using huge = opened(folder, imageWith([{ extra: { disk_size: 2n ** 52n } }]), "1");
  const kinds = [...huge.extents(0, 2 ** 52)].map(({ mapping }) => mapping.lengthBytes);
  const tableCovers = CLUSTER * CLUSTER / 8;
  assertEquals(kinds, [CLUSTER, tableCovers - CLUSTER, 2 ** 52 - tableCovers]);
});

Deno.test("a snapshot of a disk that is too large is refused, and described", () => {
  using folder = new TempDirectory();
  const extra = {
    disk_size: 2n ** 53n,
    vm_state_size_large: 2n ** 63n + 1n,
    icount: 2n ** 60n + 1n,
  };
  const bytes = imageWith([{ extra, extraBytes: 24 }]);
  assertThrows(
    () => opened(folder, bytes, "one"),
    UnsupportedFeatureError,
    "a disk of 8 PiB or more",
  );
  using file = openImageFile(written(folder, bytes));
  const [snapshot] = qcow.info?.(file).snapshots ?? [];
  assertEquals([snapshot?.vmStateBytes, snapshot?.icount], [2n ** 63n + 1n, 2n ** 60n + 1n]);
});

const DAMAGED: readonly [message: string, entry: Entry, header?: { snapshots_offset: number }][] = [
  ["the snapshot's L1 table is too large", { fields: { l1_size: 4 * 1024 * 1024 + 1 } }],
  ["L1 table offset 0x1200 is not aligned", { fields: { l1_table_offset: 0x1200 } }],
  ["the snapshot's L1 table lies outside", { fields: { l1_table_offset: 2n ** 62n } }],
  ["the snapshot's L1 table lies outside", { fields: { l1_size: 5000 } }],
  ["a snapshot has too much extra data", { fields: { extra_data_size: 1025 } }],
  ["the snapshot table lies outside the file", { fields: { name_size: 65535 } }],
  ["the snapshot table lies outside the file", {}, { snapshots_offset: 2 ** 40 }],
];

for (const [message, entry, header] of DAMAGED) {
  Deno.test(`a damaged snapshot is refused: ${message}`, () => {
    using folder = new TempDirectory();
    const bytes = imageWith([entry], header);
    assertThrows(() => opened(folder, bytes, "one"), ImageFormatError, message);
    using active = new OpenedImage(written(folder, bytes), qcow);
    assertEquals(active.read(0, 1), Uint8Array.of(3));
  });
}

Deno.test("an image that is marked as corrupt is opened by force only, with a warning", () => {
  using folder = new TempDirectory();
  const path = written(
    folder,
    buildImage({ headerV3: { incompatible_features: 2 }, l2: [BigInt(3 * CLUSTER)] }),
  );
  assertThrows(() => new OpenedImage(path, qcow), ImageFormatError, "marked as corrupt (--force");
  using forced = new OpenedImage(path, qcow, { ...READ_ONLY, force: true });
  assertEquals([forced.image.writing, forced.image.warnings], [undefined, [
    "the image is marked as corrupt",
  ]]);
  assertEquals(forced.read(0, 1), Uint8Array.of(3));
});

const RECIPES = [
  { compat: "0.10", clusterBytes: 4096 },
  { compat: "1.1", clusterBytes: 512 },
  { compat: "1.1", clusterBytes: 65536 },
  { compat: "1.1", clusterBytes: 65536, options: ["extended_l2=on", "compression_type=zstd"] },
] as const;

for (const [index, recipe] of RECIPES.entries()) {
  const title = Object.values(recipe).flat().join(" ");
  oracleTest(`qcow reads snapshots as qemu does: ${title}`, IMAGE_TOOLS, async () => {
    using folder = new TempDirectory();
    const sizeBytes = 1024 * 1024 + 512;
    const made = await makeImage(folder.path, {
      ...recipe,
      name: "made",
      sizeBytes,
      filling: "mixed",
      seed: 900 + index,
    });
    const command = (line: string): Promise<string> =>
      must("qemu-io", "-f", "qcow2", "-c", line, made.path);
    for (let step = 0; step < 3; step++) {
      await must("qemu-img", "snapshot", "-c", `snap ${step}`, made.path);
      await command(`write -P ${step + 1} ${step * 300_032} 400384`);
      await command(`write -z ${step * 200_192} 50176`);
    }
    for (const wanted of ["1", "2", "3", "snap 0", "snap 1", "snap 2"]) {
      const rawPath = folder.file("snapshot.raw");
      await must(
        "qemu-img",
        "convert",
        "-f",
        "qcow2",
        "-l",
        wanted,
        "-O",
        "raw",
        made.path,
        rawPath,
      );
      using image = new OpenedImage(made.path, qcow, { ...READ_ONLY, snapshot: wanted });
      assertEquals(image.image.sizeBytes, sizeBytes);
      assert(sameBytes(image.read(0, sizeBytes), readRange(rawPath, 0, sizeBytes)), wanted);
    }
    const missing = await run(
      "qemu-img",
      "convert",
      "-l",
      "4",
      "-O",
      "raw",
      made.path,
      "/dev/null",
    );
    assertEquals(missing.code, 1);
    const error = assertThrows(
      () => new OpenedImage(made.path, qcow, { ...READ_ONLY, snapshot: "4" }),
      ImageFormatError,
    );
    assertStringIncludes(error.message, "1 (snap 0), 2 (snap 1), 3 (snap 2)");
  });
}

oracleTest("qcow lists snapshots as qemu does", IMAGE_TOOLS, async () => {
  using folder = new TempDirectory();
  const path = folder.file("disk.qcow2");
  await must("qemu-img", "create", "-q", "-f", "qcow2", path, "1M");
  await must("qemu-img", "snapshot", "-c", "first", path);
  await must("qemu-img", "resize", "-q", path, "2M");
  await must("qemu-img", "snapshot", "-c", "zw\u00f6lf \u2713", path);
  const { snapshots } = JSON.parse(await must("qemu-img", "info", "--output=json", path));
  using file = openImageFile(path);
  const ours = qcow.info?.(file).snapshots?.map((info) => ({
    "id": info.id,
    "name": info.name,
    "vm-state-size": info.vmStateBytes,
    "date-sec": info.dateSeconds,
    "date-nsec": info.dateNanoseconds,
    "vm-clock-sec": info.vmClockSeconds,
    "vm-clock-nsec": info.vmClockNanoseconds,
    "icount": info.icount,
  }));
  assertEquals(ours, snapshots);
  for (const [wanted, sizeBytes] of [["1", 2 ** 20], ["2", 2 ** 21]] as const) {
    using image = new OpenedImage(path, qcow, { ...READ_ONLY, snapshot: wanted });
    assertEquals(image.image.sizeBytes, sizeBytes);
  }
});
