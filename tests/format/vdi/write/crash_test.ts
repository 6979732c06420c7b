/**
 * Crashes at every point of random changes: the image stays valid, what a flush has made durable is
 * there, and no sector ever has what another one had.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert } from "@std/assert";
import { ENTRY_FREE, ENTRY_ZERO } from "../../../../src/format/vdi/layout.ts";
import type { TempDirectory } from "../../../support/tools.ts";
import { type CrashedImage, testCrashes } from "../../crash_check.ts";
import { adoptVdi, BLOCK, buildVdi, type VdiParts } from "../image_builder.ts";
import { faultsOfVdi, leaksOfVdi } from "./checker.ts";

const BLOCKS = 60;

interface Kind {
  readonly name: string;
  readonly parts: VdiParts;
  readonly hasParent?: boolean;
  /** Whether there is hardly any room for the map. */
  readonly isCramped?: boolean;
}

const EMPTY = Array.from({ length: BLOCKS }, () => ENTRY_FREE);
const SOME = EMPTY.map((free, index) =>
  index % 3 === 0 ? index / 3 : index % 7 === 0 ? ENTRY_ZERO : free
);
const FULL = EMPTY.map((_, index) => BLOCKS - 1 - index);

const KINDS: readonly Kind[] = [
  { name: "empty", parts: { map: EMPTY, stored: 0 } },
  { name: "some blocks", parts: { map: SOME, stored: BLOCKS / 3 } },
  { name: "fixed", parts: { map: FULL, stored: BLOCKS } },
  { name: "a child", parts: { map: SOME, stored: BLOCKS / 3 }, hasParent: true },
  { name: "a child, empty", parts: { map: EMPTY, stored: 0 }, hasParent: true },
  {
    name: "bytes in front of blocks",
    parts: { map: SOME, stored: BLOCKS / 3, header: { block_extra: 512 } },
  },
  {
    name: "numbers that nobody uses",
    parts: { map: SOME, stored: BLOCKS / 3 + 5 },
  },
  {
    name: "a disk that ends within a block",
    parts: {
      map: SOME,
      stored: BLOCKS / 3,
      header: { disk_size: BigInt(BLOCKS * BLOCK - 1024) },
    },
  },
  { name: "a small cache", parts: { map: EMPTY, stored: 0 }, isCramped: true },
];

function makeImage(folder: TempDirectory, { parts, hasParent }: Kind): string {
  const path = folder.file("image.vdi");
  Deno.writeFileSync(path, buildVdi(parts));
  if (hasParent) {
    const parent = folder.file("base.vdi");
    // Other bytes than those of the child.
    const bytes = buildVdi({ map: FULL, stored: BLOCKS });
    for (let at = 1024; at < bytes.length; at++) bytes[at] = 255 - (bytes[at] ?? 0);
    Deno.writeFileSync(parent, bytes);
    adoptVdi(path, parent);
  }
  return path;
}

const IMAGES: readonly CrashedImage[] = KINDS.map((kind) => ({
  name: kind.name,
  format: "VDI",
  sizeBytes: BLOCKS * BLOCK,
  make: (folder) => makeImage(folder, kind),
  faultsOf: faultsOfVdi,
  leaksOf: leaksOfVdi,
  outlivesKills: !kind.hasParent,
  ...(kind.isCramped ? { metadataCacheBytes: 4096 } : {}),
}));

/** Without a parent, hardly any order matters: what is counted in advance needs none. */
const sabotaged = IMAGES.find(({ name }) => name === "a child");
assert(sabotaged !== undefined);
testCrashes(IMAGES, {
  sabotages: [
    "levels are not synced apart",
    "levels go backwards",
    "counts are not written",
    "the last level is not synced",
    "only data are synced",
  ],
  sabotaged,
});
