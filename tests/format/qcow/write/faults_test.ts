/**
 * Any call by which a file of an image is changed, or read for that, fails, once or for a while: the
 * change fails that needed it, everything else stays right, and the image stays valid.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { EIO, ENOSPC } from "../../../../src/sys/errno.ts";
import { memoryFolder, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { sameBytes } from "../../opened_image.ts";
import { checkImage } from "./checker.ts";
import { type Before, beforeRun, judge } from "./crash_judge.ts";
import { FaultRun, type Faults } from "./fault_run.ts";
import { ALL_RECIPES, makeOriginal, type Original, ORIGINAL_TOOLS, recipeOf } from "./originals.ts";
import { faultByQemu } from "./qemu_judge.ts";
import { WritableDisk } from "./writable_disk.ts";

/** In how many runs each feature is tried, about. */
const RUNS = Number(Deno.env.get("TSLOSETUP_FAULT_RUNS") ?? 60);
const OPS = 60;
/** Where everything is memory. */
const FOLDER = memoryFolder();
const NEVER = { first: Infinity, count: 0, errno: 0 } as const;

/** What may go wrong at call number `first`. */
function waysToFail(first: number): Faults[] {
  return [
    { first, count: 1, errno: EIO },
    { first, count: 1, errno: ENOSPC },
    { first, count: 1, errno: ENOSPC, isNfs: true },
    { first, count: 7, errno: ENOSPC },
    { first, count: Infinity, errno: EIO },
  ];
}

function reset({ path, dataPath }: Original, [image, data]: Before["files"]): void {
  if (image !== undefined) Deno.writeFileSync(path, image);
  if (data !== undefined && dataPath !== undefined) Deno.writeFileSync(dataPath, data);
}

/** What is wrong after a run with faults; undefined if nothing is. */
async function faultOf(
  original: Original,
  before: Before,
  { seed, faults, isThorough }: {
    readonly seed: number;
    readonly faults: Faults;
    readonly isThorough: boolean;
  },
): Promise<string | undefined> {
  reset(original, before.files);
  const faulty = new FaultRun(original, seed, faults);
  let isSaved: boolean;
  try {
    isSaved = faulty.run(OPS);
  } catch (error) {
    return `${faulty.failed}: ${error instanceof Error ? error.stack : error}`;
  }
  const wrong = isSaved ? wrongAfterwards(original, faulty.model) : undefined;
  if (wrong !== undefined) return `${faulty.failed}: ${wrong}`;
  const { corruptions } = checkImage(Deno.readFileSync(original.path));
  if (corruptions.length > 0) return `${faulty.failed}: corrupt: ${corruptions.slice(0, 3)}`;
  if (!isThorough) return undefined;
  const judged = await faultByQemu(original);
  if (judged !== undefined) return judged;
  // What a kill or a power failure leaves after it.
  const share = Math.min(1, 5 / faulty.recording.steps.length);
  const verdict = await judge(original, before, faulty, { share, qemuEvery: 20, reopenEvery: 5 });
  return verdict.faults[0];
}

/** What was closed in order, in spite of a call that had failed. */
function wrongAfterwards({ path, keys }: Original, model: Uint8Array): string | undefined {
  const disk = new WritableDisk(path, keys === undefined ? {} : { keys });
  if (!sameBytes(disk.read(0, disk.sizeBytes), model)) return "other bytes once it is opened again";
  return disk.close() ? undefined : "it cannot be closed again";
}

for (const recipe of ALL_RECIPES) {
  oracleTest(`qcow stays right whichever call fails: ${recipe.name}`, ORIGINAL_TOOLS, async () => {
    using folder = new TempDirectory(FOLDER);
    const original = await makeOriginal(folder.path, recipe);
    const before = beforeRun(original);
    const seed = recipe.name.length;
    const whole = new FaultRun(original, seed, NEVER);
    assertEquals(whole.run(OPS), true);
    const step = Math.max(1, Math.floor(whole.calls * waysToFail(0).length / RUNS));
    const faults: string[] = [];
    let runs = 0;
    for (let first = 0; first < whole.calls; first += step) {
      for (const ways of waysToFail(first)) {
        const isThorough = runs++ % 10 === 0;
        const fault = await faultOf(original, before, { seed, faults: ways, isThorough });
        if (fault !== undefined) faults.push(`${JSON.stringify(ways)}: ${fault}`);
      }
    }
    assertEquals(faults.slice(0, 5), []);
  });
}

/** Of all calls, so many fail where the disk is full for moments. */
const ONE_OF = 18;
const FULL_AT_TIMES = ["compressed", "snapshot", "extended L2, backed", "data file, backed"];
const NEARLY_FULL = "counts of 64 bits, their table nearly full";

for (const name of [...FULL_AT_TIMES, NEARLY_FULL]) {
  oracleTest(
    `qcow stays right where the disk is full at times: ${name}`,
    ORIGINAL_TOOLS,
    async () => {
      using folder = new TempDirectory(FOLDER);
      const recipe = recipeOf(name);
      const original = await makeOriginal(folder.path, recipe);
      const before = beforeRun(original);
      const faults: string[] = [];
      for (let seed = 1; seed <= Math.ceil(RUNS / 10); seed++) {
        const ways = { first: 5, count: Infinity, errno: ENOSPC, oneOf: ONE_OF };
        const fault = await faultOf(original, before, { seed, faults: ways, isThorough: true });
        if (fault !== undefined) faults.push(`seed ${seed}: ${fault}`);
      }
      assertEquals(faults.slice(0, 5), []);
    },
  );
}
