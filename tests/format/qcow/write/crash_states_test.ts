/**
 * Which states crashes are said to leave: of what is synced together, each part may be missing.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals } from "@std/assert";
import { crashStates } from "./crash_states.ts";
import { FileContent } from "./file_content.ts";
import { Random } from "./random_ops.ts";
import { Recording } from "./recording.ts";

const SECTOR_BYTES = 512;
/** So often, chance has its turn. */
const SEEDS = 100;

Deno.test("of writes that one sync covers, the last one may be there without the others", () => {
  const recording = new Recording();
  for (const [index, value] of [1, 2, 3].entries()) {
    const bytes = new Uint8Array(SECTOR_BYTES).fill(value);
    recording.steps.push({ kind: "write", file: 0, offset: index * SECTOR_BYTES, bytes });
  }
  // The third write comes after the sync of the first two.
  recording.syncs.push({ file: 0, began: 2, ended: 2 }, { file: 0, began: 3, ended: 3 });
  const found = new Set<string>();
  for (let seed = 0; seed < SEEDS; seed++) {
    const file = new FileContent(new Uint8Array(3 * SECTOR_BYTES));
    for (const { at } of crashStates(recording, [file], { random: new Random(seed), share: 1 })) {
      const { bytes } = file;
      const sectors = [0, 1, 2].map((sector) => bytes[sector * SECTOR_BYTES]);
      found.add(`${sectors.join("")} ${at <= 2 ? "until" : "after"} the first sync`);
    }
  }
  assertEquals([...found].toSorted(), [
    "000 until the first sync",
    "020 until the first sync",
    "100 until the first sync",
    "120 after the first sync",
    "120 until the first sync",
    "123 after the first sync",
  ]);
});
