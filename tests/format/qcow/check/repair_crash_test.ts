/**
 * Repairs that end at any moment: the image is as it was, or repaired, and a guest sees what it saw.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals, assertGreater, assertNotEquals } from "@std/assert";
import { checkQcow } from "../../../../src/format/qcow/check/check.ts";
import { SystemError } from "../../../../src/sys/errno.ts";
import { memoryFolder, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { checkImage, type Findings } from "../write/checker.ts";
import { crashStates } from "../write/crash_states.ts";
import { FileContent } from "../write/file_content.ts";
import { ImageBytes } from "../write/image_bytes.ts";
import {
  makeOriginal,
  type Original,
  ORIGINAL_TOOLS,
  type OriginalRecipe,
} from "../write/originals.ts";
import { Random } from "../write/random_ops.ts";
import { Recording } from "../write/recording.ts";
import { DAMAGES } from "./damages.ts";
import { diskContent } from "./disk_content.ts";

const KIB = 1024;
const RECIPES: readonly OriginalRecipe[] = [
  {
    name: "4 KiB",
    sizeBytes: 160 * KIB,
    options: ["cluster_size=4096"],
    commands: ["write -q -P 1 0 100k"],
  },
  {
    name: "512 B, snapshot",
    sizeBytes: 100 * KIB,
    options: ["cluster_size=512"],
    commands: ["write -q -P 1 0 100k"],
    afterSnapshot: ["write -q -P 2 0 50k"],
  },
];
const ENOSPC = 28;

/** Repairs the image in `recording`. */
function repair(recording: Recording, { path }: Original): void {
  using file = recording.open(path);
  checkQcow(file, { repair: "all", report: () => {} });
}

/** What is wrong, as far as it tells states of a repair apart. */
function faultsOf({ corruptions, leaks }: Findings): string {
  return JSON.stringify([corruptions.length, leaks]);
}

for (const recipe of RECIPES) {
  for (const [what, damage] of Object.entries(DAMAGES)) {
    oracleTest(
      `a repair that ends early repairs all or nothing: ${what}, ${recipe.name}`,
      ORIGINAL_TOOLS,
      async () => {
        using folder = new TempDirectory(memoryFolder());
        const original = await makeOriginal(folder.path, recipe);
        const image = new ImageBytes(original.path);
        damage(image);
        image.save();
        const damaged = checkImage(image.bytes);
        const content = diskContent(original);
        const recording = new Recording();
        repair(recording, original);
        const repaired = checkImage(Deno.readFileSync(original.path));
        const possible = new Set([damaged, repaired].map(faultsOf));
        const random = new Random(1);
        let states = 0;
        const state = new FileContent(image.bytes);
        for (const { at, what } of crashStates(recording, [state], { random, share: 1 })) {
          states++;
          Deno.writeFileSync(original.path, state.bytes);
          const found = checkImage(state.bytes);
          const onlyLeaks = damaged.corruptions.length === 0 && found.corruptions.length === 0;
          const isBetween = onlyLeaks && found.leaks <= damaged.leaks;
          assertEquals(isBetween || possible.has(faultsOf(found)), true, `${what} at ${at}`);
          assertEquals(diskContent(original), content, `${what} at ${at}`);
        }
        assertGreater(states, recording.steps.length);
      },
    );

    oracleTest(
      `a repair that fails repairs all or nothing: ${what}, ${recipe.name}`,
      ORIGINAL_TOOLS,
      async () => {
        using folder = new TempDirectory(memoryFolder());
        const original = await makeOriginal(folder.path, recipe);
        const image = new ImageBytes(original.path);
        damage(image);
        const content = (image.save(), diskContent(original));
        const damaged = checkImage(image.bytes);
        let failed = 0;
        for (let calls = 0; calls === failed; calls++) {
          image.save();
          const recording = new Recording();
          let left = calls;
          recording.fault = (call): number => call !== "pread" && left-- === 0 ? ENOSPC : 0;
          try {
            repair(recording, original);
          } catch (error) {
            if (!(error instanceof SystemError)) throw error;
            failed++;
          }
          const found = checkImage(Deno.readFileSync(original.path));
          if (damaged.corruptions.length === 0) assertEquals(found.corruptions, []);
          assertEquals(diskContent(original), content, `call ${calls}`);
        }
        if (damaged.corruptions.length + damaged.leaks > 0) assertNotEquals(failed, 0);
      },
    );
  }
}
