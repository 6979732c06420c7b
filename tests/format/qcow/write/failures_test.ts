/**
 * What a failed write or sync means for what comes after it.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { RefcountTable } from "../../../../src/format/qcow/write/refcount_table.ts";
import { Level, Updates } from "../../../../src/image/updates.ts";
import type { Tables } from "../../../../src/image/writing.ts";
import { EIO, ENOSPC, SystemError } from "../../../../src/sys/errno.ts";
import { oracleTest, TempDirectory } from "../../../support/tools.ts";
import { checkImage } from "./checker.ts";
import { makeOriginal, ORIGINAL_TOOLS, recipeOf } from "./originals.ts";
import { stampedBytes } from "./random_ops.ts";
import { type Fault, Recording } from "./recording.ts";
import { openForWriting, WritableDisk } from "./writable_disk.ts";

const CLUSTER_BYTES = 4096;
/** Header fields, by their places (specification, "Header"). */
const L1_OFFSET = 40;
const AUTOCLEAR = 88;
const OFFSET_MASK = 0x00ff_ffff_ffff_fe00n;

interface FixtureOptions {
  readonly change?: (bytes: DataView) => void;
  /** Whether writes tell of earlier ones. */
  readonly isNfs?: boolean;
}

/** Says that there is a feature that nobody knows, which who changes the image has to forget. */
function addUnknownFeature(view: DataView): void {
  view.setBigUint64(AUTOCLEAR, 32n);
}

/** Has the first cluster of the disk be the L1 table. */
function referToMetadata(view: DataView): void {
  const l1Offset = Number(view.getBigUint64(L1_OFFSET));
  const table = Number(view.getBigUint64(l1Offset) & OFFSET_MASK);
  view.setBigUint64(table, BigInt(l1Offset) | 1n << 63n);
}

/** An image that is written to, with its file. */
class Fixture implements Disposable {
  readonly recording = new Recording();
  readonly disk: WritableDisk;
  readonly path: string;
  readonly #folder: TempDirectory;

  constructor(folder: TempDirectory, path: string, isNfs = false) {
    this.#folder = folder;
    this.path = path;
    const file = this.recording.open(path);
    if (isNfs) Object.defineProperty(file, "tellsWritesOfEarlierOnes", { value: true });
    this.disk = new WritableDisk(path, { file });
  }

  /** The image of a recipe, in which `change` has changed something before it is opened. */
  static async of(name: string, { change, isNfs }: FixtureOptions = {}): Promise<Fixture> {
    const folder = new TempDirectory();
    const recipe = recipeOf(name);
    // Nothing of it has been changed since the snapshot was taken.
    const untouched = recipe.afterSnapshot === undefined
      ? recipe
      : { ...recipe, afterSnapshot: [] };
    const { path } = await makeOriginal(folder.path, untouched);
    const bytes = Deno.readFileSync(path);
    change?.(new DataView(bytes.buffer));
    Deno.writeFileSync(path, bytes);
    return new Fixture(folder, path, isNfs);
  }

  get tables(): Tables {
    const { tables } = this.disk.access.image.writing ?? {};
    if (tables === undefined) throw new Error("nothing that has tables");
    return tables;
  }

  get view(): DataView {
    return new DataView(Deno.readFileSync(this.path).buffer);
  }

  get l1Offset(): number {
    return Number(this.view.getBigUint64(L1_OFFSET));
  }

  /** Where the first L2 table is, as the file says it. */
  get tableOffset(): number {
    return Number(this.view.getBigUint64(this.l1Offset) & OFFSET_MASK);
  }

  /** Has one call fail, the first of those that `isIt` holds for. */
  failOnce(errno: number, isIt: (...call: Parameters<Fault>) => boolean): void {
    this.recording.fault = (...call) => {
      if (!isIt(...call)) return 0;
      this.recording.fault = () => 0;
      return errno;
    };
  }

  /** Whether something is written to the first L2 table before counts are durable. */
  isTableWrittenEarly(updates: Updates): boolean {
    const { tableOffset } = this;
    const isInTable = (at: number): boolean =>
      at >= tableOffset && at < tableOffset + CLUSTER_BYTES;
    return updates.ofLevel(Level.Counts).some(({ hostOffset }) => isInTable(hostOffset));
  }

  write(offset: number, id = 1): void {
    this.disk.write(offset, stampedBytes(offset, CLUSTER_BYTES, id));
  }

  [Symbol.dispose](): void {
    this.disk[Symbol.dispose]();
    this.#folder[Symbol.dispose]();
  }
}

function assertRefused(act: () => void): void {
  assertEquals(assertThrows(act, SystemError).errno, EIO);
}

oracleTest(
  "an L2 table counts as linked once a write of its L1 entry was tried",
  ORIGINAL_TOOLS,
  async () => {
    using it = await Fixture.of("empty");
    const { l1Offset } = it;
    it.failOnce(EIO, (call, offset) => call === "pwrite" && offset === l1Offset);
    it.write(0);
    assertEquals(it.tableOffset, 0);
    it.write(CLUSTER_BYTES * 8);
    const updates = new Updates();
    it.tables.takeUpdates(updates);
    for (const level of [Level.Counts, Level.CountTables, Level.Tables]) updates.write(level);
    assertFalse(it.isTableWrittenEarly(updates));
    assertEquals(checkImage(Deno.readFileSync(it.path)).corruptions, []);
  },
);

oracleTest("an L2 table counts as linked after a round that failed", ORIGINAL_TOOLS, async () => {
  using it = await Fixture.of("snapshot");
  const before = it.tableOffset;
  it.write(0);
  const updates = new Updates();
  it.tables.takeUpdates(updates);
  for (const level of [Level.Counts, Level.CountTables, Level.Tables]) updates.write(level);
  assert(it.tableOffset !== before && it.isTableWrittenEarly(updates), "a copy, not linked yet");
  it.tables.updated(false);
  updates.clear();
  it.write(CLUSTER_BYTES);
  it.tables.takeUpdates(updates);
  assertFalse(it.isTableWrittenEarly(updates));
  const l1Entries = updates.ofLevel(Level.Tables).filter(({ hostOffset }) =>
    hostOffset === it.l1Offset
  );
  assertEquals(l1Entries.length, 1);
});

Deno.test("RefcountTable.takeUpdates() adds nothing early to a table that may be in use", () => {
  using folder = new TempDirectory();
  const path = folder.file("table");
  Deno.writeFileSync(path, new Uint8Array(8 * CLUSTER_BYTES));
  using file = openForWriting(path);
  const refcounts = { order: 4, tableOffset: CLUSTER_BYTES, tableEntries: 512 };
  const table = new RefcountTable(file, { clusterBytes: CLUSTER_BYTES, refcounts });
  const entry = (index: number): number =>
    Number(
      new DataView(Deno.readFileSync(path).buffer).getBigUint64(4 * CLUSTER_BYTES + index * 8),
    );
  table.moveTo(4 * CLUSTER_BYTES, 2 * CLUSTER_BYTES);
  table.setBlock(600, 6 * CLUSTER_BYTES);
  const updates = new Updates();
  table.takeUpdates(updates);
  updates.write(Level.Counts);
  assertEquals(entry(600), 6 * CLUSTER_BYTES);
  table.setBlock(601, 7 * CLUSTER_BYTES);
  table.updated(false);
  updates.clear();
  table.takeUpdates(updates);
  updates.write(Level.Counts);
  assertEquals([entry(600), entry(601)], [6 * CLUSTER_BYTES, 0]);
  updates.write(Level.CountTables);
  assertEquals(entry(601), 7 * CLUSTER_BYTES);
  assertEquals(
    Number(new DataView(Deno.readFileSync(path).buffer).getBigUint64(48)),
    4 * CLUSTER_BYTES,
  );
  table.updated(true);
  assertFalse(table.isDirty);
});

oracleTest(
  "a flush is no change of an image: nothing is reserved for one",
  ORIGINAL_TOOLS,
  async () => {
    using it = await Fixture.of("64 KiB", { change: addUnknownFeature });
    const before = Deno.readFileSync(it.path);
    assert(it.disk.flush());
    assertEquals(it.recording.steps.length, 0);
    assert(it.disk.close());
    assertEquals(Deno.readFileSync(it.path), before);
  },
);

oracleTest(
  "nothing is reserved where the first change cannot be made",
  ORIGINAL_TOOLS,
  async () => {
    using it = await Fixture.of("64 KiB", { change: addUnknownFeature });
    it.failOnce(EIO, (call) => call === "pwrite");
    assertRefused(() => it.write(0));
    assert(it.disk.flush());
    assertEquals(it.recording.steps.length, 0);
    it.write(0);
    assertEquals(it.view.getBigUint64(AUTOCLEAR), 0n);
    assert(it.disk.close());
    assertEquals(checkImage(Deno.readFileSync(it.path)), { corruptions: [], leaks: 0 });
  },
);

oracleTest("a sync of the header that fails is a loss", ORIGINAL_TOOLS, async () => {
  using it = await Fixture.of("half full", { change: addUnknownFeature });
  it.failOnce(EIO, (call) => call === "fdatasync");
  assertRefused(() => it.write(0));
  const steps = it.recording.steps.length;
  assertRefused(() => it.write(0));
  assertFalse(it.disk.flush());
  assertFalse(it.disk.close());
  assertEquals(it.recording.steps.length, steps);
});

oracleTest("a sync that fails as damage is marked is a loss", ORIGINAL_TOOLS, async () => {
  using it = await Fixture.of("half full", { change: referToMetadata });
  it.write(CLUSTER_BYTES);
  const steps = it.recording.steps.length;
  it.failOnce(EIO, (call) => call === "fdatasync");
  assertThrows(() => it.write(0));
  assert(it.tables.hasUpdates === false && it.disk.access.hasLost);
  assertFalse(it.disk.close());
  assertEquals(it.recording.steps.length, steps + 1);
});

oracleTest("what was changed before damage was found is flushed", ORIGINAL_TOOLS, async () => {
  using it = await Fixture.of("half full", { change: referToMetadata });
  const last = it.disk.sizeBytes - CLUSTER_BYTES;
  it.disk.writeZeros(last - CLUSTER_BYTES, CLUSTER_BYTES);
  it.write(last, 7);
  assertThrows(() => it.write(0));
  assertRefused(() => it.write(last));
  assert(it.disk.close());
  const raw = it.view;
  assertEquals(raw.getBigUint64(72) & 2n, 2n);
});

oracleTest(
  "a write of an entry that tells of an earlier one is a loss",
  ORIGINAL_TOOLS,
  async () => {
    using it = await Fixture.of("empty", { isNfs: true });
    it.write(0);
    const { tableOffset } = it;
    assert(tableOffset > 0);
    it.failOnce(
      ENOSPC,
      (call, offset) =>
        call === "pwrite" && offset >= tableOffset && offset < tableOffset + CLUSTER_BYTES,
    );
    it.write(CLUSTER_BYTES);
    const steps = it.recording.steps.length;
    assertRefused(() => it.write(2 * CLUSTER_BYTES));
    assertFalse(it.disk.flush());
    assertFalse(it.disk.close());
    assertEquals(it.recording.steps.length, steps);
  },
);

Deno.test("a refcount table that has moved takes back no entry that may be durable", () => {
  const clusterBytes = 4096;
  using folder = new TempDirectory();
  const path = folder.file("table");
  Deno.writeFileSync(path, new Uint8Array(8 * clusterBytes));
  using file = openForWriting(path);
  const refcounts = { order: 4, tableOffset: clusterBytes, tableEntries: 512 };
  const table = new RefcountTable(file, { clusterBytes, refcounts });
  const updates = new Updates();
  const moved = 4 * clusterBytes;
  const entries = (): bigint[] => {
    const view = new DataView(Deno.readFileSync(path).buffer);
    return [600, 601].map((index) => view.getBigUint64(moved + index * 8));
  };
  /** A round that fails when the counts are durable, and where they are has been written. */
  const failLate = (): void => {
    table.takeUpdates(updates);
    updates.write(Level.Counts);
    table.countsAreDurable();
    updates.write(Level.CountTables);
    table.updated(false);
    updates.clear();
  };
  table.moveTo(moved, 2 * clusterBytes);
  table.setBlock(600, 6 * clusterBytes);
  failLate();
  table.setBlock(601, 7 * clusterBytes);
  failLate();
  const written = [6n, 7n].map((cluster) => cluster * BigInt(clusterBytes));
  assertEquals(entries(), written);
  table.takeUpdates(updates);
  updates.write(Level.Counts);
  assertEquals(entries(), written);
});

oracleTest("zeros for a part are in a raw data file, too, whose bytes a killed program has left", [
  "qemu-img",
], async () => {
  using folder = new TempDirectory();
  const recipe = recipeOf("raw data file");
  const { path, dataPath = "" } = await makeOriginal(folder.path, recipe);
  const at = 400 * 1024;
  {
    using killed = new WritableDisk(path);
    killed.discard(at, 4096);
    killed.flush();
    killed.write(at, new Uint8Array(4096).fill(9));
  }
  {
    using disk = new WritableDisk(path);
    assertEquals(disk.read(at, 1)[0], 0);
    disk.writeZeros(at, 512);
    assertEquals([disk.flush(), disk.close()], [true, true]);
  }
  const raw = Deno.readFileSync(dataPath);
  assertEquals(raw.subarray(at, at + 512), new Uint8Array(512));
});
