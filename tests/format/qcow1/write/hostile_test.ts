/**
 * Hostile images of version 1 that are written to: nothing is written but where the image's own tables
 * allow it, and nothing else goes wrong than that an image is refused.
 *
 * @module
 */
import { HEADER } from "../../../../src/format/qcow1/layout.ts";
import { oracleTest } from "../../../support/tools.ts";
import { type Bytes, mutated } from "../../mutations.ts";
import { writeToHostile } from "../../qcow/write/hostile_run.ts";
import { ORIGINAL_TOOLS, VERSION1_RECIPES } from "../../qcow/write/originals.ts";
import type { Random } from "../../qcow/write/random_ops.ts";
import type { Recording } from "../../qcow/write/recording.ts";
import { Version1Rules } from "./write_rules.ts";

const COMPRESSED = 1n << 63n;
const MAGIC_BYTES = 8;
/** So many entries of each table are changed at most: the first ones. */
const ENTRIES = 64;
const HEAD_BYTES = 600;
/** Offsets of entries of the L1 table, and of those L2 tables that there are. */
function entriesOf(view: DataView): { l1: number[]; l2: number[] } {
  const { l1_table_offset, size, cluster_bits, l2_bits } = HEADER.read(view, 0);
  const start = Number(l1_table_offset);
  const count = Math.ceil(Number(size) / 2 ** (cluster_bits + l2_bits));
  const l1 = Array.from({ length: Math.min(count, ENTRIES) }, (_, index) => start + index * 8);
  const tables = l1.map((at) => Number(view.getBigUint64(at))).filter((at) => at !== 0);
  const l2 = tables.flatMap((table) =>
    Array.from({ length: Math.min(2 ** l2_bits, ENTRIES) }, (_, index) => table + index * 8)
  );
  return { l1, l2 };
}

/** To any sector of the file, or a little behind it; mostly metadata, which come first. */
function pointer(bytes: Bytes, random: Random): bigint {
  const sectors = Math.ceil(bytes.length / 512);
  const most = random.below(2) === 0 ? 24 : sectors + 16;
  const offset = BigInt(random.below(most) * 512 + random.oneOf([0, 0, 0, 8, 256]));
  const size = BigInt(random.below(2 ** 9)) << 54n;
  return random.below(4) === 0 ? offset | COMPRESSED | size : offset;
}

/** An image with some damage; its mark stays, or it would be one of another format. */
function damaged(original: Bytes, random: Random): Bytes {
  const view = new DataView(original.buffer);
  const { l1, l2 } = entriesOf(view);
  const entries = [...l1, ...l1, ...l2];
  const structures = [{ start: 0, types: HEADER.types, offsets: HEADER.offsets }];
  const mutable = { bytes: original, structures, entries, headBytes: HEAD_BYTES };
  const bytes = random.below(3) === 0
    ? mutated(mutable, () => random.below(2 ** 32) / 2 ** 32)
    : original.slice();
  for (let count = 1 + random.below(4); count > 0; count--) {
    const at = entries[random.below(entries.length)] ?? 0;
    const other = entries[random.below(entries.length)] ?? 0;
    if (Math.max(at, other) + 8 > bytes.length) continue;
    const target = new DataView(bytes.buffer);
    const isCopy = random.below(3) === 0;
    target.setBigUint64(at, isCopy ? target.getBigUint64(other) : pointer(bytes, random));
  }
  bytes.set(original.subarray(0, Math.min(MAGIC_BYTES, bytes.length)));
  return bytes;
}

function faultsOf({ steps }: Recording, before: Bytes): string[] {
  const rules = new Version1Rules(before);
  return steps.map((step) => rules.fault(step)).filter((fault) => fault !== undefined);
}

for (const [index, recipe] of VERSION1_RECIPES.entries()) {
  oracleTest(
    `qcow1 writes nowhere else to hostile images: ${recipe.name}`,
    ORIGINAL_TOOLS,
    () =>
      writeToHostile({
        recipe,
        index,
        damager: ({ path }) => {
          const valid = Deno.readFileSync(path);
          return (random) => damaged(valid, random);
        },
        faultsOf,
        // Where there are no tables, little else can be damaged.
        leastWritten: recipe.commands === undefined ? 1 / 20 : 1 / 5,
      }),
  );
}
