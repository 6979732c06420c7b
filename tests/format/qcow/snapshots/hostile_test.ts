/**
 * Snapshots of images that are damaged on purpose: each is refused as it is, or has no fault afterwards
 * and shows what it has shown.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { HEADER, SNAPSHOT, SNAPSHOT_EXTRA } from "../../../../src/format/qcow/layout.ts";
import { checkQcow } from "../../../../src/format/qcow/check/check.ts";
import type { SnapshotAction } from "../../../../src/image/snapshot_change.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../../src/image/errors.ts";
import { SystemError } from "../../../../src/sys/errno.ts";
import { randomNumbers } from "../../../support/images.ts";
import { processorMs } from "../../../support/patience.ts";
import { memoryFolder, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { mutated, type Original, pick } from "../../mutations.ts";
import { diskContent } from "../check/disk_content.ts";
import { ImageBytes } from "../write/image_bytes.ts";
import { ORIGINAL_TOOLS, type OriginalRecipe } from "../write/originals.ts";
import { openForWriting } from "../write/writable_disk.ts";
import { change, makeWithHistory } from "./prepared.ts";

/** For each feature; `deno task test:mutations` asks for more. */
const MUTATIONS = Number(Deno.env.get("TSLOSETUP_MUTATIONS") ?? 150);
/** Of processor time. */
const SLOWEST_MILLISECONDS = 5000;
const MOST_COMPARED_BYTES = 4 * 1024 * 1024;

const KIB = 1024;
const RECIPES: readonly OriginalRecipe[] = [
  {
    name: "4 KiB",
    sizeBytes: 64 * KIB,
    options: ["cluster_size=4096"],
    commands: ["write -q -P 1 0 40k"],
  },
  {
    name: "512 B, compressed",
    sizeBytes: 48 * KIB,
    options: ["cluster_size=512"],
    commands: ["write -q -P 1 0 20k"],
    compressed: true,
  },
  {
    name: "extended L2",
    sizeBytes: 64 * KIB,
    options: ["cluster_size=16384", "extended_l2=on"],
    commands: ["write -q -P 1 0 40k"],
  },
];
const ACTIONS: readonly SnapshotAction[] = ["create", "apply", "delete"];

for (const [index, recipe] of RECIPES.entries()) {
  oracleTest(
    `damaged images have no snapshots, or right ones: ${recipe.name}`,
    ORIGINAL_TOOLS,
    async () => {
      using folder = new TempDirectory(memoryFolder());
      const { path } = await makeWithHistory(folder.path, recipe);
      const original = mutable(path);
      const random = randomNumbers(20_260_101 + index);
      let done = 0;
      for (let n = 0; n < MUTATIONS; n++) {
        const bytes = mutated(original, random);
        const action = pick(ACTIONS, random);
        const start = processorMs();
        if (isDone(path, bytes, action)) done++;
        assert(processorMs() - start < SLOWEST_MILLISECONDS, `mutation ${n} is too slow`);
      }
      assert(done > MUTATIONS / 30, `only ${done} of ${MUTATIONS} images could be changed`);
    },
  );
}

/** What is worth changing in the image at `path`: its header, and all about its snapshots. */
function mutable(path: string): Original {
  const image = new ImageBytes(path);
  const { bytes, l1Offset, snapshotsOffset } = image;
  const l1Tables = [l1Offset, image.u64(snapshotsOffset)];
  const tables = l1Tables.map((offset) => image.target(offset));
  return {
    bytes,
    structures: [
      { start: 0, types: HEADER.types, offsets: HEADER.offsets },
      { start: snapshotsOffset, types: SNAPSHOT.types, offsets: SNAPSHOT.offsets },
      {
        start: snapshotsOffset + SNAPSHOT.sizeBytes,
        types: SNAPSHOT_EXTRA.types,
        offsets: SNAPSHOT_EXTRA.offsets,
      },
    ],
    entries: [
      ...l1Tables,
      ...tables.flatMap((table) => [table, table + 8, table + 16, table + 32]),
    ],
    headBytes: 112,
  };
}

/** Whether an image is changed; if not, it is as it was but for its counts and flags. */
function isDone(path: string, bytes: Uint8Array, action: SnapshotAction): boolean {
  Deno.writeFileSync(path, bytes);
  const before = contentOf(path);
  try {
    change(path, { action, name: "two" });
  } catch (error) {
    const isTyped = error instanceof ImageFormatError || error instanceof RangeError ||
      error instanceof UnsupportedFeatureError || error instanceof SystemError;
    if (!isTyped) throw error;
    assertEquals(contentOf(path), before);
    return false;
  }
  assertEquals(corruptionsOf(path), 0, action);
  if (action !== "apply") assertEquals(contentOf(path), before, action);
  return true;
}

function corruptionsOf(path: string): number {
  using file = openForWriting(path);
  return checkQcow(file, { repair: "none", report: () => {} }).corruptions;
}

/** What the disk shows, as far as it can be opened and is not too large. */
function contentOf(path: string): string {
  const view = new DataView(Deno.readFileSync(path).buffer);
  if (view.byteLength < 32 || view.getBigUint64(24) > MOST_COMPARED_BYTES) return "";
  try {
    return diskContent({ path }).join();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error.message;
  }
}
