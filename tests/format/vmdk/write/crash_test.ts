/**
 * Crashes at every point of random changes: the image stays valid, what a flush has made durable is
 * there, and no sector ever has what another one had.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert } from "@std/assert";
import type { TempDirectory } from "../../../support/tools.ts";
import { type CrashedImage, testCrashes } from "../../crash_check.ts";
import { buildExtent, buildVmdk, descriptor, type ExtentParts, GRAIN } from "../image_builder.ts";
import { faultsOfVmdk, isClosed, leakedGrains } from "./checker.ts";

const GRAINS = 60;

interface Kind {
  readonly name: string;
  readonly parts: ExtentParts;
  readonly hasParent?: boolean;
  /** Whether there is hardly any room for tables. */
  readonly isCramped?: boolean;
  /** Whether the descriptor is in a file of its own. */
  readonly isSplit?: boolean;
}

type Map = NonNullable<ExtentParts["map"]>;
const EMPTY: Map = Array(GRAINS).fill("none");
const SOME: Map = EMPTY.map((none, index) =>
  index % 3 === 0 ? index / 3 : index % 7 === 0 ? "zero" : none
);
const FULL: Map = EMPTY.map((_, index) => GRAINS - 1 - index);
const some = { map: SOME, stored: GRAINS / 3 };

const KINDS: readonly Kind[] = [
  { name: "empty", parts: { map: EMPTY, stored: 0 } },
  { name: "some grains", parts: some },
  { name: "no copies of tables", parts: { ...some, header: { flags: 5 } } },
  { name: "a child", parts: some, hasParent: true },
  {
    name: "a child without grains of zeros",
    parts: {
      map: SOME.map((what) => what === "zero" ? "none" : what),
      header: { flags: 3 },
      stored: 20,
    },
    hasParent: true,
  },
  { name: "grains that nobody uses", parts: { map: SOME, stored: GRAINS / 3 + 5 } },
  {
    name: "a disk that ends within a grain",
    parts: { ...some, header: { capacity: BigInt(GRAINS * GRAIN / 512 - 2) } },
  },
  { name: "a small cache", parts: { map: EMPTY, stored: 0 }, isCramped: true },
  { name: "a piece", parts: some, isSplit: true },
];

/** Answers where it is, and of one in pieces, the piece. */
function makeImage(
  folder: TempDirectory,
  { parts, hasParent, isSplit }: Kind,
): string | readonly [string, string] {
  const path = folder.file("image.vmdk");
  const fields = hasParent ? { parentCID: "1234abcd", parentFileNameHint: '"base.vmdk"' } : {};
  if (hasParent) {
    // Other bytes than those of the child.
    const bytes = buildVmdk({ map: FULL, stored: GRAINS });
    for (let at = 16384; at < bytes.length; at++) bytes[at] = 255 - (bytes[at] ?? 0);
    Deno.writeFileSync(folder.file("base.vmdk"), bytes);
  }
  if (!isSplit) {
    Deno.writeFileSync(path, buildVmdk(parts, fields));
    return path;
  }
  const piece = folder.file("image-s001.vmdk");
  Deno.writeFileSync(piece, buildExtent(parts));
  const line = `RW ${GRAINS * GRAIN / 512} SPARSE "image-s001.vmdk"`;
  Deno.writeTextFileSync(path, descriptor([line], fields));
  return [path, piece];
}

/** What is used in vain, or was not closed in order. */
function leaksOf(bytes: Uint8Array<ArrayBuffer>, { name, parts }: Kind): number {
  if (parts.header?.flags !== 5 && !isClosed(bytes)) return Infinity;
  return name === "grains that nobody uses" ? 0 : leakedGrains(bytes);
}

const IMAGES: readonly CrashedImage[] = KINDS.map((kind) => ({
  name: kind.name,
  format: "VMDK",
  sizeBytes: GRAINS * GRAIN,
  make: (folder) => makeImage(folder, kind),
  faultsOf: faultsOfVmdk,
  leaksOf: (bytes) => leaksOf(bytes, kind),
  keepsGaps: true,
  ...(kind.isCramped ? { metadataCacheBytes: 2048 } : {}),
}));

const [, sabotaged] = IMAGES;
assert(sabotaged !== undefined);
testCrashes(IMAGES, {
  sabotages: [
    "levels are not synced apart",
    "levels go backwards",
    "the last level is not synced",
    "only data are synced",
  ],
  sabotaged,
});
