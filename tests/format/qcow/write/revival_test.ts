/**
 * Daemons that are killed while they write to QCOW images, and others that take their place: nothing that
 * was answered is missing, and nothing is leaked.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assertEquals, assertGreater } from "@std/assert";
import type { ChangeJournal } from "../../../../src/disk/change_journal.ts";
import type { Placement } from "../../../../src/image/writing.ts";
import { memoryFolder, oracleTest, run, TempDirectory } from "../../../support/tools.ts";
import {
  killAndRevive,
  REVIVAL_EFFORT,
  type RevivalEffort,
  type Revivals,
} from "../../revival_check.ts";
import { checkImage } from "./checker.ts";
import { ALL_RECIPES, makeOriginal, ORIGINAL_TOOLS, recipeOf } from "./originals.ts";

/** Some of everything that is recorded, or undone, in a way of its own. */
const FEW = [
  "half full",
  "backed by qcow2",
  "snapshot, 512 B, compressed",
  "zero clusters, backed",
  "extended L2, backed",
  "data file",
  "AES",
  "bitmaps",
  "lazy refcounts",
  "version 1, backed",
  "version 1, AES",
];
const RECIPES = REVIVAL_EFFORT.runs > 1
  ? ALL_RECIPES
  : ALL_RECIPES.filter(({ name }) => FEW.includes(name));
/** Other programs are asked so often. */
const ASKED_EVERY = 20;

async function revive(name: string, effort: RevivalEffort): Promise<Revivals> {
  using folder = new TempDirectory(memoryFolder());
  const recipe = recipeOf(name);
  const original = await makeOriginal(folder.path, recipe);
  const faults = async (): Promise<readonly string[]> => {
    if (recipe.version === 1) return [];
    const { corruptions, leaks } = checkImage(Deno.readFileSync(original.path));
    const found = leaks > 0 ? [...corruptions, `${leaks} clusters are leaked`] : corruptions;
    if (found.length > 0 || looked++ % ASKED_EVERY > 0 || recipe.encryption !== undefined) {
      return found;
    }
    const { code, stdout } = await run("qemu-img", "check", "-f", "qcow2", original.path);
    return code === 0 ? [] : [`qemu-img check exits ${code}: ${stdout}`];
  };
  let looked = 0;
  return await killAndRevive({ original, storePath: folder.file("store"), faults }, effort);
}

for (const { name } of RECIPES) {
  oracleTest(`qcow: nothing is missing after a revival: ${name}`, ORIGINAL_TOOLS, async (t) => {
    const { faults, revived, again, replayed } = await revive(name, REVIVAL_EFFORT);
    assertEquals(faults.slice(0, 5), []);
    await t.step(`${revived} revivals, ${again} more that were killed, ${replayed} changes`, () => {
      assertGreater(revived, 0);
    });
  });
}

/** Ways to do it wrong: each has to be found. */
const SPOILT: Readonly<Record<string, (journal: ChangeJournal) => void>> = {
  "what is written is not recorded": (journal) => override(journal, "wrote", () => {}),
  "what is cleared is not recorded": (journal) => override(journal, "cleared", () => {}),
  "a change is recorded after it was answered": (journal) => {
    const wrote = journal.wrote.bind(journal);
    let last: Placement | undefined;
    override(journal, "wrote", (placement: Placement) => {
      if (last !== undefined) wrote(last, false);
      last = Object.assign(Object.create(Object.getPrototypeOf(placement)), placement);
    });
  },
  "records are dropped before their tables are written": (journal) => {
    const begin = journal.begin.bind(journal);
    override(journal, "begin", (hasTakenAll: boolean) => {
      begin(hasTakenAll);
      journal.end();
    });
  },
  "changes are made in the wrong order": (journal) => {
    const changes = journal.changes.bind(journal);
    override(journal, "changes", () => [...changes()].reverse());
  },
};

function override(
  journal: ChangeJournal,
  name: keyof ChangeJournal,
  value: (...given: never[]) => unknown,
): void {
  Object.defineProperty(journal, name, { value });
}

for (const [what, spoil] of Object.entries(SPOILT)) {
  oracleTest(`the test of revivals finds out if ${what}`, ORIGINAL_TOOLS, async () => {
    const name = what.startsWith("records") ? "version 1, backed" : "backed by qcow2";
    const { faults } = await revive(name, { runs: 20, share: 0.05, spoil });
    assertGreater(faults.length, 0);
  });
}
