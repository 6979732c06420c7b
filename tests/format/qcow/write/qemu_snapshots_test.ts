/**
 * Images whose snapshots qemu takes, goes back to and deletes between what is written here: what nobody
 * shares any more is marked as that, and every snapshot stays what it was.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { sameBytes } from "../../opened_image.ts";
import { memoryFolder, must, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { makeOriginal, type Original, ORIGINAL_TOOLS, recipeOf } from "./originals.ts";
import { Random, randomOp } from "./random_ops.ts";
import { WritableDisk } from "./writable_disk.ts";

const KIB = 1024;
const STEPS = 24;
const OPS = 20;

const NAMES = [
  "empty, 512 B",
  "half full",
  "64 KiB",
  "version 2",
  "compressed",
  "snapshot",
  "snapshot, 512 B, compressed",
  "zero clusters",
  "extended L2",
  "extended L2, compressed",
  "counts of 2 bits",
  "counts of 64 bits, snapshot",
  "lazy refcounts",
];

class Snapshots {
  /** What the disk was when each was taken, by their names. */
  readonly #taken = new Map<string, Uint8Array>();
  readonly #original: Original;
  readonly #random: Random;
  #count = 0;

  constructor(original: Original, random: Random) {
    this.#original = original;
    this.#random = random;
  }

  /** Has qemu do something with one of them; what the disk has to be then. */
  async change(disk: Uint8Array): Promise<Uint8Array> {
    const { path } = this.#original;
    const names = [...this.#taken.keys()];
    const name = names[this.#random.below(names.length)];
    const kind = this.#random.below(3);
    // A count of two bits is 3 at most.
    if (name === undefined || kind === 0 && names.length < 2) {
      const next = `taken ${++this.#count}`;
      await must("qemu-img", "snapshot", "-c", next, path);
      this.#taken.set(next, disk);
      return disk;
    }
    await must("qemu-img", "snapshot", kind === 1 ? "-a" : "-d", name, path);
    if (kind === 1) return this.#taken.get(name) ?? disk;
    this.#taken.delete(name);
    return disk;
  }

  check(told: string): void {
    for (const [snapshot, disk] of this.#taken) {
      assert(sameBytes(contentOf(this.#original, snapshot), disk), `${told}: ${snapshot}`);
    }
  }
}

function contentOf({ path }: Original, snapshot?: string): Uint8Array {
  const request = { readOnly: true, ...(snapshot === undefined ? {} : { snapshot }) };
  using disk = new WritableDisk(path, { request });
  return disk.read(0, disk.sizeBytes);
}

/** Changes the disk; what it is then. */
function change({ path, recipe }: Original, random: Random, firstId: number): Uint8Array {
  const disk = new WritableDisk(path);
  const { unitBytes = 512 } = disk.access.image.writing?.tables ?? {};
  const limits = { sizeBytes: recipe.sizeBytes, mostBytes: 64 * KIB, unitBytes };
  for (let id = firstId; id < firstId + OPS; id++) disk.apply(randomOp(random, limits, id));
  const content = disk.read(0, disk.sizeBytes);
  assertEquals(disk.close(), true);
  return content;
}

for (const name of NAMES) {
  oracleTest(
    `qcow leaves right flags and all snapshots as they were, whatever qemu does with those: ${name}`,
    ORIGINAL_TOOLS,
    async () => {
      using folder = new TempDirectory(memoryFolder());
      const original = await makeOriginal(folder.path, recipeOf(name));
      const random = new Random(name.length);
      const snapshots = new Snapshots(original, random);
      let disk = contentOf(original);
      for (let step = 1; step <= STEPS; step++) {
        if (step % 2 === 0) disk = change(original, random, step * OPS);
        else disk = await snapshots.change(disk);
        // Exits with 2 if a flag is wrong, with 3 if a cluster is leaked.
        await must("qemu-img", "check", "-f", "qcow2", original.path);
        assert(sameBytes(contentOf(original), disk), `step ${step}`);
        snapshots.check(`step ${step}`);
      }
    },
  );
}
