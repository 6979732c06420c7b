// @ts-types="../../../support/std_assert.d.ts"
import { assert } from "@std/assert";
import { type CrashedImage, testCrashes } from "../../crash_check.ts";
import { buildParallels, type ParallelsParts } from "../image_builder.ts";
import { judgeParallels } from "./checker.ts";

const CLUSTERS = 60;

function image(
  name: string,
  parts: ParallelsParts,
  more: Partial<CrashedImage> = {},
): CrashedImage {
  const sectors = CLUSTERS * (parts.tracks ?? 8) - 3;
  const header = { nb_sectors: BigInt(sectors) };
  return {
    name,
    format: "PARALLELS",
    sizeBytes: sectors * 512,
    make: (folder) => {
      const path = folder.file("image.hds");
      Deno.writeFileSync(path, buildParallels({ header, ...parts }));
      return path;
    },
    faultsOf: (bytes) => [...judgeParallels(bytes).faults],
    leaksOf: (bytes) => judgeParallels(bytes).leakedBytes,
    ...more,
  };
}

const EMPTY = { bat: Array.from({ length: CLUSTERS }, () => undefined), stored: 0 };
const SOME = {
  bat: Array.from({ length: CLUSTERS }, (_, n) => n % 3 === 0 ? n / 3 : undefined),
  stored: CLUSTERS / 3,
};

const IMAGES: readonly CrashedImage[] = [
  image("empty", EMPTY),
  image("some clusters", SOME),
  image("clusters of 7 sectors, of the older kind", { ...SOME, isOld: true, tracks: 7 }),
  image("hardly any room for the BAT", SOME, { metadataCacheBytes: 4096 }),
];

const [, sabotaged] = IMAGES;
assert(sabotaged !== undefined);

testCrashes(IMAGES, {
  sabotages: [
    "levels are not synced apart",
    "the last level is not synced",
    "only data are synced",
  ],
  sabotaged,
});
