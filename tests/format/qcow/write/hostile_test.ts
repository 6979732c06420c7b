/**
 * Hostile images that are written to: nothing is written but where the image's own tables and counts
 * allow it, and nothing else goes wrong than that an image is refused.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater } from "@std/assert";
import { processorMs } from "../../../support/patience.ts";
import { memoryFolder, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { HostileImages } from "./hostile_images.ts";
import { writeTo } from "./hostile_run.ts";
import { makeOriginal, ORIGINAL_RECIPES, ORIGINAL_TOOLS } from "./originals.ts";
import { Random } from "./random_ops.ts";
import type { Recording } from "./recording.ts";
import { WriteRules } from "./write_rules.ts";

/** Of each feature; a campaign has more. */
const IMAGES = Number(Deno.env.get("TSLOSETUP_HOSTILE_WRITES") ?? 60);
const SEED = Number(Deno.env.get("TSLOSETUP_HOSTILE_SEED") ?? 1);
const SLOWEST_MILLISECONDS = 5000;
/** Where everything is memory. */
const FOLDER = memoryFolder();

function faultsOf(recording: Recording, before: Uint8Array<ArrayBuffer>): string[] {
  const rules = new WriteRules(before);
  const faults = recording.steps.map((step) =>
    step.file === 0 ? rules.fault(step) : rules.faultOfData(step)
  );
  return faults.filter((fault) => fault !== undefined);
}

for (const [index, recipe] of ORIGINAL_RECIPES.entries()) {
  oracleTest(
    `qcow writes nowhere else to hostile images: ${recipe.name}`,
    ORIGINAL_TOOLS,
    async () => {
      using folder = new TempDirectory(FOLDER);
      const original = await makeOriginal(folder.path, recipe);
      const images = new HostileImages(original.path);
      let written = 0;
      for (let n = 0; n < IMAGES; n++) {
        const random = new Random(SEED * 1_000_003 + index * 100_003 + n * 7);
        const bytes = images.next(random);
        Deno.writeFileSync(original.path, bytes);
        const start = processorMs();
        try {
          const recording = writeTo(original, random);
          if (recording === undefined) continue;
          written++;
          assertEquals(faultsOf(recording, bytes), []);
          assert(processorMs() - start < SLOWEST_MILLISECONDS, "too slow");
        } catch (error) {
          throw new Error(`image ${n}`, { cause: error });
        }
      }
      // What is refused at once tests little.
      assertGreater(written, IMAGES / 5);
    },
  );
}
