/**
 * Damaged images that are written to: what the damage could lead to does not happen, and who finds it marks it.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse, assertGreaterOrEqual, assertThrows } from "@std/assert";
import { ImageFormatError } from "../../../../src/image/errors.ts";
import { SystemError } from "../../../../src/sys/errno.ts";
import { must, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { COMPRESSED, COPIED, ImageBytes } from "./image_bytes.ts";
import { makeOriginal, ORIGINAL_TOOLS, type OriginalRecipe, qemuIo } from "./originals.ts";
import { WritableDisk } from "./writable_disk.ts";

const KIB = 1024;
const SIZE = 512 * KIB;
const CLUSTER = 4 * KIB;
const SECTOR = new Uint8Array(512).fill(0xaa);

const FULL: OriginalRecipe = {
  name: "full",
  sizeBytes: SIZE,
  options: [`cluster_size=${CLUSTER}`],
  commands: [`write -q -P 1 0 ${SIZE}`],
};
const EXTENDED: OriginalRecipe = {
  ...FULL,
  name: "extended L2",
  options: ["cluster_size=16k", "extended_l2=on"],
};
const SNAPSHOT: OriginalRecipe = { ...FULL, name: "snapshot", afterSnapshot: ["write -q 0 4096"] };

/** Makes an image, has it damaged, and tests what then becomes of it. */
function damageTest(
  name: string,
  recipe: OriginalRecipe,
  damage: (image: ImageBytes) => void,
  test: (path: string, damaged: ImageBytes) => void,
): void {
  oracleTest(`${name}: ${recipe.name}`, ORIGINAL_TOOLS, async () => {
    using folder = new TempDirectory();
    const { path } = await makeOriginal(folder.path, recipe);
    // Bits get a place with the first one that is set.
    if (recipe.bitmaps !== undefined) await qemuIo(path, "qcow2", ["write -q 0 4096"]);
    const image = new ImageBytes(path);
    damage(image);
    image.save();
    test(path, image);
  });
}

damageTest(
  "qcow cuts nothing off that it has not added, though it counts as free",
  FULL,
  (image) => {
    for (let cluster = 64; cluster < SIZE / CLUSTER; cluster++) {
      image.setCount(image.target(image.entryAt(cluster)), 0);
    }
  },
  (path, before) => {
    const disk = new WritableDisk(path);
    disk.write(0, SECTOR);
    assert(disk.close());
    assertGreaterOrEqual(Deno.statSync(path).size, before.bytes.length);
  },
);

const UNCOUNTED: readonly (readonly [string, (image: ImageBytes) => number])[] = [
  ["header", () => 0],
  ["L1 table", ({ l1Offset }) => l1Offset],
  ["refcount table", ({ refcountTableOffset }) => refcountTableOffset],
];
for (const [what, placeOf] of UNCOUNTED) {
  damageTest(
    `qcow does not write to an image whose ${what} counts as free`,
    FULL,
    (image) => image.setCount(placeOf(image), 0),
    (path) => {
      assertThrows(() => new WritableDisk(path), ImageFormatError, `${what} at `);
    },
  );
}

/** A change of the first cluster; all of it unless `isPart`. */
const CHANGES: Readonly<Record<string, (disk: WritableDisk, unitBytes: number) => void>> = {
  "written to": (disk) => disk.write(0, SECTOR),
  overwritten: (disk, unitBytes) => disk.write(0, new Uint8Array(unitBytes).fill(0xaa)),
  discarded: (disk, unitBytes) => disk.discard(0, unitBytes),
  "zeroed together with what is before": (disk, unitBytes) => disk.writeZeros(0, 2 * unitBytes),
};

/** Entries for a cluster that would have metadata be written to, or be dropped. */
const FOREIGN: Readonly<Record<string, (image: ImageBytes) => bigint>> = {
  "that has the L1 table, COPIED": ({ l1Offset }) => BigInt(l1Offset) | COPIED,
  "that has the L1 table, shared": ({ l1Offset }) => BigInt(l1Offset),
  "that has the refcount table": ({ refcountTableOffset }) => BigInt(refcountTableOffset),
  "that is behind the end of the file": ({ bytes }) => BigInt(bytes.length + 2 ** 30) | COPIED,
  "with the L1 table, compressed": ({ l1Offset }) => COMPRESSED | BigInt(l1Offset + 7),
  "with the header, compressed": () => COMPRESSED | 512n,
};

for (const recipe of [FULL, EXTENDED]) {
  for (const [where, entryOf] of Object.entries(FOREIGN)) {
    for (const [how, change] of Object.entries(CHANGES)) {
      const isAfter = how.includes("before");
      // Of a compressed cluster, the content is read first; extended entries are cleared one by one.
      if (how === "written to" && where.includes("compressed")) continue;
      if (isAfter && recipe === EXTENDED) continue;
      const name = `qcow leaves alone what no guest has: a cluster ${where} is ${how}`;
      damageTest(name, recipe, (image) => {
        image.setEntry(isAfter ? 1 : 0, entryOf(image));
      }, (path, before) => {
        using disk = new WritableDisk(path);
        assertThrows(() => change(disk, before.clusterBytes), ImageFormatError);
        assertRefuses(disk);
        assert(disk.flush());
        assertNothingButMark(path, before);
      });
    }
  }
}

/** That no change is made any more, whatever it is about. */
function assertRefuses(disk: WritableDisk): void {
  const unitBytes = 64 * KIB;
  for (const change of Object.values(CHANGES)) {
    assertThrows(() => change(disk, unitBytes), SystemError);
  }
}

/** But for what had been reserved behind the end. */
function assertNothingButMark(path: string, before: ImageBytes): void {
  const after = new ImageBytes(path);
  assert(after.isMarkedCorrupt);
  for (let at = 0; at < before.bytes.length; at += before.clusterBytes) {
    assertEquals(after.count(at), before.count(at), `cluster at ${at}`);
  }
  for (const guest of [0, 1, 2]) {
    const [old, now] = [before, after].map((image) =>
      image.view.getBigUint64(image.entryAt(guest))
    );
    assertEquals(now, old);
  }
}

damageTest(
  "qcow knows a snapshot's L2 tables: none is written to as a cluster",
  SNAPSHOT,
  (image) => {
    const l1Offset = image.u64(image.snapshotsOffset);
    image.setEntry(0, BigInt(image.target(l1Offset)) | COPIED);
  },
  (path) => {
    using disk = new WritableDisk(path);
    assertThrows(() => disk.write(0, SECTOR), ImageFormatError);
    assertRefuses(disk);
  },
);

damageTest(
  "qcow does not write to an L2 table that is marked as used once, but is a snapshot's, too",
  SNAPSHOT,
  (image) => {
    const table = image.target(image.u64(image.snapshotsOffset));
    image.view.setBigUint64(image.l1Offset, BigInt(table) | COPIED);
  },
  (path) => {
    assertThrows(() => new WritableDisk(path), ImageFormatError, "used once");
  },
);

damageTest(
  "qcow frees no L2 table that is a snapshot's, too, though it counts as used once",
  SNAPSHOT,
  (image) => {
    const table = image.target(image.u64(image.snapshotsOffset));
    image.view.setBigUint64(image.l1Offset, BigInt(table));
    image.setCount(table, 1);
  },
  (path, before) => {
    using disk = new WritableDisk(path);
    disk.write(0, SECTOR);
    assertThrows(() => disk.flush(), ImageFormatError);
    const table = before.target(before.u64(before.snapshotsOffset));
    const after = new ImageBytes(path);
    const bytesOf = ({ bytes }: ImageBytes): Uint8Array => bytes.subarray(table, table + CLUSTER);
    assertEquals(bytesOf(after), bytesOf(before));
    assert(after.isMarkedCorrupt);
  },
);

for (const recipe of [FULL, EXTENDED]) {
  for (const [how, change] of Object.entries(CHANGES)) {
    // As a repair leaves it, which finds that one cluster is two guests'.
    oracleTest(
      `qcow marks as used once what is: one of two that shared a cluster is ${how}, ${recipe.name}`,
      ORIGINAL_TOOLS,
      async () => {
        using folder = new TempDirectory();
        const { path } = await makeOriginal(folder.path, recipe);
        const image = new ImageBytes(path);
        const [old, entry] = [0, 5].map((guest) => image.target(image.entryAt(guest)));
        image.setCount(old ?? 0, 0);
        image.setCount(entry ?? 0, 2);
        for (const guest of [0, 5]) image.setEntry(guest, BigInt(entry ?? 0));
        image.save();
        await must("qemu-img", "check", "-f", "qcow2", path);
        const disk = new WritableDisk(path);
        change(disk, image.clusterBytes);
        assert(disk.close());
        await must("qemu-img", "check", "-f", "qcow2", path);
      },
    );
  }
}

const BITMAPS: OriginalRecipe = { ...FULL, name: "bitmaps", bitmaps: [4096, 65536] };

/** What bitmaps have in the file: of the first one, the table, and a cluster of bits. */
const OF_BITMAPS: Readonly<Record<string, (image: ImageBytes) => number>> = {
  "the directory of bitmaps": (image) => image.bitmapDirectory,
  "a bitmap's table": (image) => image.u64(image.bitmapDirectory),
  "the bits of a bitmap": (image) => image.target(image.u64(image.bitmapDirectory)),
};
for (const [what, placeOf] of Object.entries(OF_BITMAPS)) {
  damageTest(
    `qcow leaves ${what} alone, though an entry says that it is a guest's`,
    BITMAPS,
    (image) => image.setEntry(0, BigInt(placeOf(image)) | COPIED),
    (path, before) => {
      using disk = new WritableDisk(path);
      assertThrows(() => disk.write(0, SECTOR), ImageFormatError);
      assertRefuses(disk);
      const after = new ImageBytes(path);
      assert(after.isMarkedCorrupt);
      const start = placeOf(before);
      const bytesOf = ({ bytes }: ImageBytes): Uint8Array => bytes.subarray(start, start + CLUSTER);
      // But for being in use.
      if (start !== before.bitmapDirectory) assertEquals(bytesOf(after), bytesOf(before));
    },
  );

  damageTest(
    `qcow does not take ${what} for a cluster that is free, though it counts as such`,
    BITMAPS,
    (image) => image.setCount(placeOf(image), 0),
    (path) => {
      const disk = new WritableDisk(path);
      assertThrows(() => {
        disk.discard(0, SIZE);
        // What was there is not free yet.
        disk.write(0, new Uint8Array(SIZE).fill(0xaa));
        disk.close();
      }, ImageFormatError);
      assert(new ImageBytes(path).isMarkedCorrupt);
    },
  );

  damageTest(
    `qcow does not write to an image of which ${what} is something else, too`,
    BITMAPS,
    (image) => image.view.setBigUint64(image.refcountTableOffset + 8, BigInt(placeOf(image))),
    (path) => {
      assertThrows(() => new WritableDisk(path), ImageFormatError, "overlaps other metadata");
    },
  );
}

damageTest(
  "qcow writes to an image though an entry elsewhere is damaged",
  FULL,
  (image) => image.setEntry(100, BigInt(image.l1Offset) | COPIED),
  (path) => {
    const disk = new WritableDisk(path);
    disk.write(0, SECTOR);
    disk.discard(64 * KIB, 64 * KIB);
    assert(disk.close());
    assertFalse(new ImageBytes(path).isMarkedCorrupt);
  },
);
