/**
 * Crashes at every point of random changes: there are always a footer and its copy, what a flush has made
 * durable is there, and no sector ever has what another one had.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { memoryFolder, TempDirectory } from "../../../support/tools.ts";
import { type CrashedImage, testCrashes } from "../../crash_check.ts";
import { CrashRun } from "../../qcow/write/crash_run.ts";
import { crashStates } from "../../qcow/write/crash_states.ts";
import { FileContent } from "../../qcow/write/file_content.ts";
import { Random } from "../../qcow/write/random_ops.ts";
import {
  adoptVhd,
  BLOCK,
  BLOCKS as FIRST_BLOCK,
  buildVhd,
  type VhdParts,
} from "../image_builder.ts";
import { faultsOfVhd, readByBits, unusedBytes } from "./checker.ts";

const BLOCKS = 30;

interface Kind {
  readonly name: string;
  readonly parts: VhdParts;
  readonly hasParent?: boolean;
  /** Whether there is hardly any room for the table and for bitmaps. */
  readonly isCramped?: boolean;
  /** Whether most changes are of parts of blocks. */
  readonly isFine?: boolean;
}

const EMPTY = Array.from({ length: BLOCKS }, () => undefined);
const SOME = Array.from({ length: BLOCKS }, (_, index) => index % 3 === 0 ? index / 3 : undefined);
/** Bits of blocks as other programs may have left them: 1 for sectors that are not zeros. */
const PARTLY = Array.from({ length: BLOCKS / 3 }, (_, index) => [0xff, 0xf0, 0x0f][index % 3] ?? 0);
const STORED = BLOCKS / 3;

const KINDS: readonly Kind[] = [
  { name: "empty", parts: { map: EMPTY, stored: 0 } },
  { name: "some blocks", parts: { map: SOME, stored: STORED } },
  { name: "parts of blocks", parts: { map: SOME, stored: STORED }, isFine: true },
  { name: "blocks with bits of 0", parts: { map: SOME, stored: STORED, bits: PARTLY } },
  {
    name: "a disk that ends within a block",
    parts: {
      map: SOME,
      stored: STORED,
      footer: { current_size: BigInt(BLOCKS * BLOCK - 1024) },
    },
  },
  { name: "blocks that nobody uses", parts: { map: SOME, stored: STORED + 3 } },
  { name: "a small cache", parts: { map: SOME, stored: STORED }, isCramped: true },
  { name: "a child", parts: { map: SOME, stored: STORED, bits: PARTLY }, hasParent: true },
  { name: "a child, empty", parts: { map: EMPTY, stored: 0 }, hasParent: true },
  {
    name: "a child, a small cache",
    parts: { map: SOME, stored: STORED, bits: PARTLY },
    hasParent: true,
    isCramped: true,
  },
];

function makeImage(folder: TempDirectory, { parts, hasParent }: Kind): string {
  const path = folder.file("image.vhd");
  const bytes = buildVhd(parts);
  // What the parent shows instead may be anything; in an image without one, there are zeros.
  if (!hasParent) clearUnset(bytes, parts.bits ?? []);
  Deno.writeFileSync(path, bytes);
  if (hasParent) {
    const parent = folder.file("base.vhd");
    const map = EMPTY.map((_, index) => index % 5 === 0 ? undefined : index);
    Deno.writeFileSync(parent, inverted(buildVhd({ map, stored: BLOCKS, footer: { uuid } })));
    adoptVhd(path, parent);
  }
  return path;
}

const uuid = new Uint8Array(16).fill(9);
const STRIDE = BLOCK + 512;

function clearUnset(bytes: Uint8Array, bits: readonly number[]): void {
  for (const [block, byte] of bits.entries()) {
    for (let sector = 0; sector < 8; sector++) {
      const start = FIRST_BLOCK + block * STRIDE + 512 * (1 + sector);
      if ((byte >> 7 - sector & 1) === 0) bytes.fill(0, start, start + 512);
    }
  }
}

/** Has all blocks have other bytes than those of the child. */
function inverted(bytes: Uint8Array): Uint8Array {
  for (let block = 0; block < BLOCKS; block++) {
    const start = FIRST_BLOCK + block * STRIDE + 512;
    bytes.fill(255 - block, start, start + BLOCK);
  }
  return bytes;
}

const IMAGES: readonly CrashedImage[] = KINDS.map((kind) => ({
  name: kind.name,
  format: "VHD",
  sizeBytes: BLOCKS * BLOCK,
  make: (folder) => makeImage(folder, kind),
  faultsOf: faultsOfVhd,
  readByOthers: readByBits,
  // What is left is less than a block.
  leaksOf: (bytes) => Math.floor(unusedBytes(bytes) / STRIDE),
  limits: { unitBytes: kind.isFine ? 512 : BLOCK, mostBytes: 6 * BLOCK },
  outlivesKills: !kind.hasParent,
  ...(kind.isCramped ? { metadataCacheBytes: 4096 } : {}),
}));

/** In a dynamic image, no order matters but that of the footer, which is not one of levels. */
const sabotaged = IMAGES.find(({ name }) => name === "a child");
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

/** All that crashes may leave, but of the disk: that is more than the other tests have time for. */
Deno.test("VHD has footer and copy, and blocks between them, whatever comes when", () => {
  using folder = new TempDirectory(memoryFolder());
  const path = folder.file("image.vhd");
  const map = Array.from({ length: 120 }, () => undefined);
  const before = buildVhd({ map, stored: 3 });
  const recipe = { name: "VHD", version: 1, sizeBytes: map.length * BLOCK, options: [] } as const;
  const limits = { unitBytes: BLOCK, mostBytes: 6 * BLOCK };
  const request = { format: "VHD" } as const;
  const faults: string[] = [];
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    Deno.writeFileSync(path, before);
    const run = new CrashRun({ path, recipe }, { seed, ops: 60, keys: undefined, request, limits });
    run.run(60, "closed");
    const content = new FileContent(before);
    const random = new Random(seed);
    for (const { what, at } of crashStates(run.recording, [content], { random, share: 1 })) {
      const found = faultsOfVhd(content.bytes.slice());
      if (found.length > 0) faults.push(`seed ${seed}, ${what} at ${at}: ${found[0]}`);
    }
  }
  assertEquals(faults.slice(0, 3), []);
});
