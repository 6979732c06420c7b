/**
 * Disks that are to be made larger while calls fail: each has its old size then, with all that it had, or the
 * new one, and can be made larger once there is room.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater } from "@std/assert";
import { EIO, ENOSPC, SystemError } from "../../../../src/sys/errno.ts";
import { sameBytes } from "../../opened_image.ts";
import { memoryFolder, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { checkImage } from "./checker.ts";
import { makeOriginal, type Original, ORIGINAL_RECIPES, ORIGINAL_TOOLS } from "./originals.ts";
import { stampedBytes } from "./random_ops.ts";
import { type FallibleCall, Recording } from "./recording.ts";
import { WritableDisk } from "./writable_disk.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const MORE_BYTES = 3 * MIB;
const CALLS: readonly FallibleCall[] = ["pwrite", "ftruncate", "fdatasync", "fallocate"];
const NAMES = [
  "half full",
  "empty, 512 B",
  "snapshot, 512 B, compressed",
  "extended L2, backed",
  "raw data file",
  "counts of 64 bits, their table nearly full",
  "bitmaps",
];

/** How calls fail, from number `at` on: one of them, or all. */
interface Failing {
  readonly errno: number;
  readonly at: number;
  readonly lasts: boolean;
}

class FailingGrowth {
  readonly #recording = new Recording();
  readonly #disk: WritableDisk;
  readonly #model: Uint8Array;
  readonly #path: string;
  #calls = 0;

  constructor({ path, dataPath, keys }: Original) {
    this.#path = path;
    const file = this.#recording.open(path);
    this.#disk = new WritableDisk(path, {
      file,
      ...(keys === undefined ? {} : { keys }),
      ...(dataPath === undefined ? {} : { dataFile: this.#recording.open(dataPath) }),
    });
    this.#model = this.#disk.read(0, this.#disk.sizeBytes).slice();
    this.#write(1, 0, 8 * KIB);
    this.#disk.flush();
    this.#write(2, this.#model.length - 6 * KIB, 6 * KIB);
  }

  #write(id: number, offset: number, length: number): void {
    const bytes = stampedBytes(offset, length, id);
    this.#model.set(bytes, offset);
    this.#disk.write(offset, bytes);
  }

  /** Tries it; how many calls there were. */
  run({ errno, at, lasts }: Failing): number {
    const disk = this.#disk;
    const wanted = this.#model.length - this.#model.length % 512 + MORE_BYTES;
    this.#recording.fault = (call) => {
      if (!CALLS.includes(call)) return 0;
      const fails = lasts ? this.#calls >= at : this.#calls === at;
      this.#calls++;
      return fails ? errno : 0;
    };
    const isDone = succeeds(() => disk.access.grow(wanted, () => disk.flush()));
    this.#recording.fault = () => 0;
    const calls = this.#calls;
    const isLost = disk.access.hasLost;
    if (isDone) assertEquals(disk.sizeBytes, wanted);
    else assertEquals(disk.sizeBytes, this.#model.length);
    this.#compare(disk);
    if (!isLost) {
      if (!isDone) {
        this.#write(3, 4 * KIB, 20 * KIB);
        disk.access.grow(wanted, () => disk.flush());
      }
      this.#compare(disk);
      disk.write(wanted - 512, stampedBytes(wanted - 512, 512, 4));
      assert(disk.close());
      assertEquals(checkImage(Deno.readFileSync(this.#path)), { corruptions: [], leaks: 0 });
    } else {
      assertEquals(disk.close(), false);
      assertEquals(checkImage(Deno.readFileSync(this.#path)).corruptions, []);
    }
    return calls;
  }

  #compare(disk: WritableDisk): void {
    const found = disk.read(0, disk.sizeBytes);
    assert(sameBytes(found.subarray(0, this.#model.length), this.#model), "what it had");
    assert(found.subarray(this.#model.length).every((byte) => byte === 0), "what it got");
  }
}

function succeeds(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}

for (const recipe of ORIGINAL_RECIPES.filter(({ name }) => NAMES.includes(name))) {
  oracleTest(`a disk gets larger, or stays as it is: ${recipe.name}`, ORIGINAL_TOOLS, async () => {
    using folder = new TempDirectory(memoryFolder());
    const original = await makeOriginal(folder.path, recipe);
    const paths = [original.path, original.dataPath].filter((path) => path !== undefined);
    const before = paths.map((path) => Deno.readFileSync(path));
    const run = (failing: Failing): number => {
      for (const [n, path] of paths.entries()) {
        Deno.writeFileSync(path, before[n] ?? new Uint8Array());
      }
      try {
        return new FailingGrowth(original).run(failing);
      } catch (error) {
        throw new Error(JSON.stringify(failing), { cause: error });
      }
    };
    const calls = run({ errno: 0, at: 0, lasts: false });
    assertGreater(calls, 3);
    for (let at = 0; at < calls; at++) {
      for (const errno of [ENOSPC, EIO]) {
        for (const lasts of [false, true]) run({ errno, at, lasts });
      }
    }
  });
}
