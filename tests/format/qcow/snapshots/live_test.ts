/**
 * Snapshots of images that are being written to: each has what the disk had, whatever is written later,
 * and crashes leave all or nothing of it.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { EIO, ENOSPC, SystemError } from "../../../../src/sys/errno.ts";
import { memoryFolder, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { sameBytes } from "../../opened_image.ts";
import { checkImage } from "../write/checker.ts";
import { beforeRun, judge } from "../write/crash_judge.ts";
import { makeOriginal, type Original, ORIGINAL_TOOLS, recipeOf } from "../write/originals.ts";
import { faultByQemu } from "../write/qemu_judge.ts";
import { Random, randomOp, type ScriptedOp } from "../write/random_ops.ts";
import { Recording } from "../write/recording.ts";
import { scriptedRun } from "../write/scripted_run.ts";
import { openForWriting, WritableDisk } from "../write/writable_disk.ts";
import { SNAPSHOT_RECIPES } from "./prepared.ts";

const CLEAN = { corruptions: [], leaks: 0 };
const OPS = 80;
const MOST_SNAPSHOTS = 4;
const STATES = Number(Deno.env.get("TSLOSETUP_CRASH_STATES") ?? 60);

/** Random changes of the disk and, now and then, of snapshots. */
class RandomOps {
  readonly names: string[] = [];
  readonly #random: Random;
  readonly #disk: WritableDisk;
  #ids = 0;

  constructor(seed: number, disk: WritableDisk) {
    this.#random = new Random(seed);
    this.#disk = disk;
  }

  next(): ScriptedOp {
    const random = this.#random;
    const id = ++this.#ids;
    const kind = random.below(12);
    if (kind === 0 && this.names.length < MOST_SNAPSHOTS) {
      this.names.push(`n${id}`);
      return { kind: "snapshot", change: { action: "create", name: `n${id}` } };
    }
    if (kind === 1 && this.names.length > 0) {
      const [name = ""] = this.names.splice(random.below(this.names.length), 1);
      return { kind: "snapshot", change: { action: "delete", name } };
    }
    const { unitBytes = 512 } = this.#disk.access.image.writing?.tables ?? {};
    const { sizeBytes } = this.#disk;
    return randomOp(random, { sizeBytes, mostBytes: 16 * unitBytes, unitBytes }, id);
  }
}

function keysOf({ keys }: Original): Pick<Original, "keys"> {
  return keys === undefined ? {} : { keys };
}

/** The disk of a snapshot. */
function snapshotOf(original: Original, snapshot: string): Uint8Array {
  const request = { snapshot, readOnly: true };
  using disk = new WritableDisk(original.path, { ...keysOf(original), request });
  return disk.read(0, disk.sizeBytes).slice();
}

for (const recipe of SNAPSHOT_RECIPES) {
  oracleTest(
    `snapshots of a disk in use have what it had: ${recipe.name}`,
    ORIGINAL_TOOLS,
    async () => {
      using folder = new TempDirectory(memoryFolder());
      const original = await makeOriginal(folder.path, recipe);
      const disk = new WritableDisk(original.path, keysOf(original));
      const ops = new RandomOps(5, disk);
      const had = new Map<string, Uint8Array>();
      for (let n = 0; n < OPS; n++) {
        const op = ops.next();
        if (op.kind === "snapshot" && op.change.action === "create") {
          had.set(op.change.name, disk.read(0, disk.sizeBytes).slice());
        }
        disk.apply(op);
        if (n % 3 === 0) disk.access.freeSome();
      }
      const whole = disk.read(0, disk.sizeBytes).slice();
      assert(disk.close());
      assertEquals(checkImage(Deno.readFileSync(original.path)), CLEAN);
      assertEquals(await faultByQemu(original), undefined);
      for (const name of ops.names) {
        assert(sameBytes(snapshotOf(original, name), had.get(name) ?? new Uint8Array()), name);
      }
      using again = new WritableDisk(original.path, keysOf(original));
      assert(sameBytes(again.read(0, again.sizeBytes), whole));
    },
  );
}

for (
  const name of ["half full", "snapshot, 512 B, compressed", "extended L2, backed", "bitmaps"]
) {
  oracleTest(
    `a disk in use that has snapshots survives crashes: ${name}`,
    ORIGINAL_TOOLS,
    async () => {
      using folder = new TempDirectory(memoryFolder());
      const original = await makeOriginal(folder.path, recipeOf(name));
      const before = beforeRun(original);
      const ops: ScriptedOp[] = [];
      {
        using disk = new WritableDisk(original.path, keysOf(original));
        const random = new RandomOps(9, disk);
        while (ops.length < 40) ops.push(random.next());
      }
      Deno.writeFileSync(original.path, before.files[0] ?? new Uint8Array());
      const run = scriptedRun(original, ops);
      const share = Math.min(1, STATES / (run.recording.steps.length * 4));
      const { faults } = await judge(original, before, run, {
        share,
        qemuEvery: 20,
        reopenEvery: 10,
      });
      assertEquals(faults, []);
    },
  );
}

oracleTest(
  "a call that fails costs no snapshot, and nothing of a disk in use",
  ORIGINAL_TOOLS,
  async () => {
    using folder = new TempDirectory(memoryFolder());
    const original = await makeOriginal(folder.path, recipeOf("snapshot, 512 B, compressed"));
    const bytes = Deno.readFileSync(original.path);
    for (const errno of [EIO, ENOSPC]) {
      for (let at = 0, isOver = false; !isOver; at += 3) {
        Deno.writeFileSync(original.path, bytes);
        isOver = !failsOnce(original, errno, at);
        assertEquals(checkImage(Deno.readFileSync(original.path)).corruptions, [], `call ${at}`);
      }
    }
  },
);

/** Creates a snapshot, of whose calls one fails, and goes on; whether any has failed. */
function failsOnce({ path }: Original, errno: number, at: number): boolean {
  const recording = new Recording();
  const disk = new WritableDisk(path, { file: recording.open(path) });
  const first = new Uint8Array(5000).fill(1);
  const second = new Uint8Array(9000).fill(2);
  disk.write(3000, first);
  let calls = 0;
  recording.fault = (call) => call !== "pread" && calls++ === at ? errno : 0;
  const hasFailed = !isMade(disk);
  recording.fault = () => 0;
  if (disk.access.hasLost) {
    disk.close();
    return true;
  }
  assert(sameBytes(disk.read(3000, first.length), first), `call ${at}`);
  if (hasFailed) assert(isMade(disk));
  disk.write(1000, second);
  assert(disk.close(), `call ${at}`);
  assertEquals(checkImage(Deno.readFileSync(path)), CLEAN, `call ${at}`);
  return calls > at;
}

function isMade(disk: WritableDisk): boolean {
  try {
    disk.apply({ kind: "snapshot", change: { action: "create", name: "new" } });
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}

oracleTest("version 2 does not get larger while it has snapshots", ORIGINAL_TOOLS, async () => {
  using folder = new TempDirectory(memoryFolder());
  const { path } = await makeOriginal(folder.path, recipeOf("version 2"));
  using disk = new WritableDisk(path, { file: openForWriting(path) });
  const grow = (): void => disk.apply({ kind: "grow", sizeBytes: disk.sizeBytes + 4096 });
  disk.apply({ kind: "snapshot", change: { action: "create", name: "x" } });
  assertThrows(grow, RangeError);
  assertThrows(
    () => disk.apply({ kind: "snapshot", change: { action: "apply", name: "x" } }),
    RangeError,
    "it is in use",
  );
  disk.apply({ kind: "snapshot", change: { action: "delete", name: "x" } });
  grow();
});
