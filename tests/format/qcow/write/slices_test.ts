/**
 * L2 tables of several slices, of which the cache holds few: random changes around the places where one
 * slice ends and the next one, or the next table, begins.
 *
 * @module
 */
import { oracleTest, TempDirectory } from "../../../support/tools.ts";
import { closeAndAskQemu, Modelled } from "./modelled.ts";
import { makeOriginal, ORIGINAL_TOOLS, type OriginalRecipe } from "./originals.ts";
import { type Op, Random, randomOp, stampedBytes } from "./random_ops.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const SLICE_BYTES = 4096;
const ROUNDS = 2;
const OPS = 60;
/** How far a change is from the end of a slice at most. */
const AROUND_BYTES = 96 * KIB;

/** An image, and how much of its disk a slice describes. */
interface SlicedRecipe extends OriginalRecipe {
  readonly sliceCovers: number;
}

/** Clusters of 8 KiB have tables of 2 slices, those of 16 KiB of 4. */
const STANDARD = { sizeBytes: 18 * MIB, sliceCovers: 4 * MIB, options: ["cluster_size=8k"] };
const EXTENDED = {
  sizeBytes: 18 * MIB,
  sliceCovers: 4 * MIB,
  options: ["cluster_size=16k", "extended_l2=on"],
};
/** On both sides of a slice's end, in a table of which the other end is left empty. */
const FILL = ["write -q -P 5 4190208 90000", "write -q -P 6 12500000 200000"];
const BACKING = { sizeBytes: 17 * MIB, format: "raw" } as const;

const RECIPES: readonly SlicedRecipe[] = [
  { ...STANDARD, name: "empty" },
  { ...STANDARD, name: "backed", backing: BACKING },
  { ...STANDARD, name: "compressed", commands: FILL, compressed: true },
  { ...STANDARD, name: "snapshot", commands: FILL, afterSnapshot: [] },
  { ...STANDARD, name: "data file", commands: FILL, dataFile: "not raw" },
  { ...STANDARD, name: "version 2", options: ["cluster_size=8k", "compat=0.10"], commands: FILL },
  {
    name: "16 KiB",
    sizeBytes: 34 * MIB,
    sliceCovers: 8 * MIB,
    options: ["cluster_size=16k"],
    commands: FILL,
  },
  { ...EXTENDED, name: "extended L2" },
  { ...EXTENDED, name: "extended L2, backed", backing: BACKING },
  { ...EXTENDED, name: "extended L2, snapshot", commands: FILL, afterSnapshot: [] },
];

/** What a change is to be like. */
interface OpAtEnd {
  readonly id: number;
  readonly unitBytes: number;
  /** Number of the slice at whose end it is; any if left out. */
  readonly slice?: number;
}

/** A change near the end of a slice: of those of any slice, every other one is as those of a given one. */
function opAtSliceEnd(
  random: Random,
  { sizeBytes, sliceCovers }: SlicedRecipe,
  { id, unitBytes, slice }: OpAtEnd,
): Op {
  const number = slice ?? random.below(Math.ceil(sizeBytes / sliceCovers));
  const end = Math.min((1 + number) * sliceCovers, sizeBytes);
  if (end < sizeBytes && (slice !== undefined || random.below(2) === 0)) {
    return wholeUnitsAround(end, random, { id, unitBytes });
  }
  const startBytes = end - AROUND_BYTES;
  const around = Math.min(2 * AROUND_BYTES, sizeBytes - startBytes);
  return randomOp(random, { startBytes, sizeBytes: around, mostBytes: around, unitBytes }, id);
}

function wholeUnitsAround(end: number, random: Random, { id, unitBytes }: OpAtEnd): Op {
  const most = AROUND_BYTES / unitBytes;
  const offset = end - (1 + random.below(most)) * unitBytes;
  const length = end - offset + (1 + random.below(most)) * unitBytes;
  return { kind: "write", offset, bytes: stampedBytes(offset, length, id) };
}

for (const recipe of RECIPES) {
  for (const slots of [1, 2, 8]) {
    const name = `${recipe.name}, ${slots} of them in memory`;
    oracleTest(`qcow writes across slices of L2 tables: ${name}`, ORIGINAL_TOOLS, async () => {
      using folder = new TempDirectory();
      const original = await makeOriginal(folder.path, recipe);
      const random = new Random(slots * 1000 + recipe.name.length);
      const slices = Math.ceil(recipe.sizeBytes / recipe.sliceCovers);
      let id = 1;
      for (let round = 0; round < ROUNDS; round++) {
        const modelled = new Modelled(original, { metadataCacheBytes: slots * SLICE_BYTES });
        const { unitBytes = 512 } = modelled.disk.access.image.writing?.tables ?? {};
        for (let n = 0; n < OPS; n++) {
          const slice = n < slices ? { slice: n } : {};
          modelled.apply(opAtSliceEnd(random, recipe, { unitBytes, id: id++, ...slice }));
        }
        modelled.check(`round ${round}`);
        await closeAndAskQemu(modelled, original, folder);
      }
    });
  }
}
