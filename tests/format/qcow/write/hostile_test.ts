/**
 * Hostile images that are written to: nothing is written but where the image's own tables and counts
 * allow it, and nothing else goes wrong than that an image is refused.
 *
 * @module
 */
import { oracleTest } from "../../../support/tools.ts";
import { HostileImages } from "./hostile_images.ts";
import { writeToHostile } from "./hostile_run.ts";
import { ORIGINAL_RECIPES, ORIGINAL_TOOLS } from "./originals.ts";
import type { Recording } from "./recording.ts";
import { WriteRules } from "./write_rules.ts";

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
    () =>
      writeToHostile({
        recipe,
        index,
        damager: ({ path }) => {
          const images = new HostileImages(path);
          return (random) => images.next(random);
        },
        faultsOf,
        leastWritten: 1 / 5,
      }),
  );
}
