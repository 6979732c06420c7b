// @ts-types="../../../support/std_assert.d.ts"
import { assert } from "@std/assert";
import type { TempDirectory } from "../../../support/tools.ts";
import { type CrashedImage, testCrashes } from "../../crash_check.ts";
import { buildQed, CLUSTER, place, type QedParts } from "../image_builder.ts";
import { judgeQed } from "./checker.ts";

const CLUSTERS = 60;
const SIZE: number = CLUSTERS * CLUSTER;

const SOME = Array.from(
  { length: CLUSTERS },
  (_, index) => index % 3 === 0 ? place(index / 3) : BigInt(index % 7 === 0),
);

function image(name: string, parts: QedParts, more: Partial<CrashedImage> = {}): CrashedImage {
  const header = { image_size: BigInt(SIZE), ...parts.header };
  return {
    name,
    format: "QED",
    sizeBytes: SIZE,
    make: (folder: TempDirectory): string => {
      const path = folder.file("image.qed");
      Deno.writeFileSync(path, buildQed({ ...parts, header }));
      if (parts.backing !== undefined) {
        Deno.writeFileSync(folder.file(parts.backing), new Uint8Array(SIZE).fill(0x5a));
      }
      return path;
    },
    faultsOf: (bytes) => [...judgeQed(bytes).faults],
    leaksOf: (bytes) => judgeQed(bytes).leaks,
    ...more,
  };
}

const EMPTY = { stored: 0, l1: [0n] };
const FILLED = { stored: 20, l2: SOME };
const BASE = { backing: "base.img" };

const IMAGES: readonly CrashedImage[] = [
  image("empty", EMPTY),
  image("empty, over a backing file", { ...EMPTY, ...BASE }),
  image("some clusters", FILLED),
  image("some clusters over a backing file", { ...FILLED, ...BASE }),
  image("hardly any room for tables", FILLED, { metadataCacheBytes: 4096 }),
  image("a disk that ends within a cluster", {
    ...FILLED,
    header: { image_size: BigInt(SIZE - 1024) },
  }),
];

const [, , , sabotaged] = IMAGES;
assert(sabotaged !== undefined);

testCrashes(IMAGES, {
  sabotages: ["levels are not synced apart", "levels go backwards", "the last level is not synced"],
  sabotaged,
});
