/**
 * Images that are closed while one call fails: as there is room again, and it was no sync, nothing is left
 * behind, be it leaked clusters, a file that is too long, or bitmaps that are in use.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater } from "@std/assert";
import { EIO, ENOSPC, SystemError } from "../../../../src/sys/errno.ts";
import { memoryFolder, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { checkImage } from "./checker.ts";
import { makeOriginal, type Original, ORIGINAL_TOOLS, recipeOf } from "./originals.ts";
import { stampedBytes } from "./random_ops.ts";
import { type FallibleCall, Recording } from "./recording.ts";
import { storedBitmaps } from "./stored_bitmaps.ts";
import { WritableDisk } from "./writable_disk.ts";

const KIB = 1024;
const NAMES = ["half full", "64 KiB", "compressed", "snapshot", "extended L2", "bitmaps"];

/** Which call of the closing fails, from 0 on, and how; the error number, or none. */
interface Closing {
  readonly failing: number;
  readonly errno: number;
  /** Whether what is read, too, may be what fails. */
  readonly reads: boolean;
}

interface Closed {
  readonly isSaved: boolean;
  readonly calls: number;
  /** What has failed. */
  readonly failed: FallibleCall | undefined;
}

/** Changes the image, and closes it. */
function close({ path, recipe, keys }: Original, { failing, errno, reads }: Closing): Closed {
  const recording = new Recording();
  const file = recording.open(path);
  const disk = new WritableDisk(path, { file, ...(keys === undefined ? {} : { keys }) });
  for (let id = 0; id < 8; id++) {
    const offset = id * 40 * KIB % recipe.sizeBytes;
    disk.write(offset, stampedBytes(offset, 12 * KIB, id + 1));
  }
  disk.discard(0, 128 * KIB);
  // Counts are read anew.
  disk.flush();
  disk.write(4 * KIB, stampedBytes(4 * KIB, 4 * KIB, 9));
  disk.access.image.dropCaches?.();
  let calls = 0;
  let failed: FallibleCall | undefined;
  recording.fault = (call) => {
    if (call === "pread" && !reads || calls++ !== failing) return 0;
    failed = call;
    return errno;
  };
  try {
    return { isSaved: disk.close(), calls, failed };
  } catch (error) {
    if (error instanceof SystemError) return { isSaved: false, calls, failed };
    throw error;
  }
}

function assertClean(bytes: Uint8Array<ArrayBuffer>, told: string): void {
  const { corruptions, leaks } = checkImage(bytes);
  assertEquals([corruptions, leaks], [[], 0], told);
  assert(storedBitmaps(bytes).every(({ isValid }) => isValid), `${told}: in use`);
}

for (const name of NAMES) {
  oracleTest(
    `what fails while an image is closed is tried again: ${name}`,
    ORIGINAL_TOOLS,
    async () => {
      using folder = new TempDirectory(memoryFolder());
      const original = await makeOriginal(folder.path, recipeOf(name));
      const before = Deno.readFileSync(original.path);
      for (const how of [{ errno: ENOSPC, reads: false }, { errno: EIO, reads: true }]) {
        const whole = close(original, { ...how, failing: -1 });
        assertGreater(whole.calls, 0);
        const { size } = Deno.statSync(original.path);
        for (let failing = 0; failing < whole.calls; failing++) {
          Deno.writeFileSync(original.path, before);
          const { isSaved, failed } = close(original, { ...how, failing });
          const told = `call ${failing}, ${failed}`;
          // Nobody knows what is on the disk then.
          assertEquals(isSaved, failed !== "fdatasync", told);
          if (!isSaved) continue;
          assertClean(Deno.readFileSync(original.path), told);
          assertEquals(Deno.statSync(original.path).size, size, told);
        }
        Deno.writeFileSync(original.path, before);
      }
    },
  );
}
