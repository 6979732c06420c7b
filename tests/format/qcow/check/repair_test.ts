/**
 * Repaired images: no fault is left that qemu's repair does not leave, qemu finds none where we find
 * none, and a guest sees what it saw.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertLessOrEqual, assertMatch } from "@std/assert";
import { checkQcow } from "../../../../src/format/qcow/check/check.ts";
import { leavesFaults } from "../../../../src/format/qcow/check/repair.ts";
import { survey } from "../../../../src/format/qcow/check/survey.ts";
import { readHeader } from "../../../../src/format/qcow/header.ts";
import {
  ImageFormatError,
  RelatedFileError,
  SecretError,
  UnsupportedFeatureError,
} from "../../../../src/image/errors.ts";
import { memoryFolder, must, oracleTest, run, TempDirectory } from "../../../support/tools.ts";
import { HostileImages } from "../write/hostile_images.ts";
import { ImageBytes } from "../write/image_bytes.ts";
import {
  makeOriginal,
  type Original,
  ORIGINAL_RECIPES,
  ORIGINAL_TOOLS,
  type OriginalRecipe,
  recipeOf,
} from "../write/originals.ts";
import { Random } from "../write/random_ops.ts";
import { openForWriting, WritableDisk } from "../write/writable_disk.ts";
import { checkedByDriver, checkedByQemu } from "./checked.ts";
import { DAMAGES } from "./damages.ts";
import { diskContent, UNREADABLE } from "./disk_content.ts";

/** So many damaged images are made of each whole one. */
const DAMAGED = Number(Deno.env.get("TSLOSETUP_CHECKED_IMAGES") ?? 8);

function repair(path: string, wanted: "leaks" | "all"): string {
  using file = openForWriting(path);
  const lines: string[] = [];
  checkQcow(file, { repair: wanted, report: (line) => lines.push(line) });
  return lines.join("\n");
}

/** Whether it is known before that a repair leaves some damage. */
function hasLastingFaults(path: string): boolean {
  using file = openForWriting(path);
  return leavesFaults(file, survey(file, readHeader(file), { report: () => {} }));
}

/** What keeps a damaged image from being opened. */
const DAMAGE_ERRORS = [ImageFormatError, RelatedFileError, SecretError, UnsupportedFeatureError];

function contentOf(original: Original): string[] {
  const snapshots = original.recipe.afterSnapshot === undefined ? [] : ["before"];
  try {
    return diskContent(original, snapshots);
  } catch (error) {
    if (DAMAGE_ERRORS.some((kind) => error instanceof kind)) return [];
    throw error;
  }
}

function assertSameContent(
  before: readonly string[],
  after: readonly string[],
  told: string,
): void {
  for (const [index, line] of before.entries()) {
    if (!line.endsWith(UNREADABLE)) assertEquals(after[index], line, told);
  }
}

/** Repairs the image that is there, and compares with what qemu makes of its twin. */
async function checkRepair(original: Original, told: string): Promise<void> {
  const { path, recipe } = original;
  const bytes = Deno.readFileSync(path);
  const before = checkedByDriver(path);
  if (before.code === 1) return;
  const areLasting = hasLastingFaults(path);
  const content = contentOf(original);
  const said = `${told}\n${repair(path, "all")}`;
  const after = checkedByDriver(path);
  const qemu = await checkedByQemu(path, recipe);
  assertSameContent(content, contentOf(original), said);
  // Where the file gets longer by the repair, what was behind its end is not any more.
  const mayEnd = /behind the end of the file/.test(before.told);
  if (!areLasting || !mayEnd) assertEquals(areLasting, after.code === 2, `${said}\n${after.told}`);
  // Version 2 has no zeros: only we say so of clusters that are.
  if (!/in version 2/.test(after.told) && qemu.code !== 1) {
    assertEquals(after.code, qemu.code, `${said}\n---\n${qemu.told}`);
  }
  if (recipe.encryption !== undefined || /in version 2/.test(after.told)) return;
  // Of a block behind the end of the file, qemu makes it so long, and then finds all else there, too.
  if (/refcount block .* behind the end/.test(before.told)) return;
  Deno.writeFileSync(path, bytes);
  const twin = await run("qemu-img", "check", "-r", "all", "-f", "qcow2", path);
  if (twin.code === 0) assertEquals(after.code, 0, said);
}

for (const [index, recipe] of ORIGINAL_RECIPES.entries()) {
  oracleTest(
    `checkQcow() repairs images as well as qemu-img: ${recipe.name}`,
    ORIGINAL_TOOLS,
    async () => {
      using folder = new TempDirectory(memoryFolder());
      const original = await makeOriginal(folder.path, recipe);
      const hostile = new HostileImages(original.path);
      const random = new Random(100 + index);
      for (let count = 0; count < DAMAGED; count++) {
        Deno.writeFileSync(original.path, hostile.next(random));
        await checkRepair(original, `image ${count}`);
      }
    },
  );
}

for (const wanted of ["leaks", "all"] as const) {
  oracleTest(
    `checkQcow() frees what counts as used behind the end of the file (${wanted})`,
    ORIGINAL_TOOLS,
    async () => {
      using folder = new TempDirectory(memoryFolder());
      for (const name of ["half full", "counts of 1 bits", "version 2"]) {
        const { path } = await makeOriginal(folder.path, recipeOf(name));
        const sizeBytes = Deno.statSync(path).size;
        {
          // As who is killed before the counts are written.
          using disk = new WritableDisk(path);
          disk.write(0, new Uint8Array(512));
          disk.flush();
        }
        Deno.truncateSync(path, sizeBytes);
        assertMatch(
          repair(path, wanted),
          /^Freed [1-9][0-9]* clusters behind the end of the file$/,
        );
        assertEquals(repair(path, wanted), "");
        // Of what is behind the end, qemu speaks only then.
        Deno.truncateSync(path, sizeBytes + 2 ** 20);
        await must("qemu-img", "check", "-f", "qcow2", path);
      }
    },
  );
}

const KIB = 1024;
const FULL: readonly OriginalRecipe[] = [
  {
    name: "4 KiB",
    sizeBytes: 512 * KIB,
    options: ["cluster_size=4096"],
    commands: ["write -q -P 1 0 256k"],
  },
  {
    name: "512 B, counts of 8 bits",
    sizeBytes: 300 * KIB,
    options: ["cluster_size=512,refcount_bits=8"],
    commands: ["write -q -P 1 0 256k"],
  },
  {
    name: "version 2",
    sizeBytes: 8 * 1024 * KIB,
    options: ["compat=0.10"],
    commands: ["write -q -P 1 0 4M"],
  },
  {
    name: "extended L2, snapshot",
    sizeBytes: 512 * KIB,
    options: ["cluster_size=16k,extended_l2=on"],
    commands: ["write -q -P 1 0 512k"],
    afterSnapshot: ["write -q -P 2 0 512k"],
  },
];
const UNREPAIRABLE = ["a place behind the end of the file"];

for (const recipe of FULL) {
  for (const [what, damage] of Object.entries(DAMAGES)) {
    oracleTest(`checkQcow() repairs ${what}: ${recipe.name}`, ORIGINAL_TOOLS, async () => {
      using folder = new TempDirectory(memoryFolder());
      const original = await makeOriginal(folder.path, recipe);
      const image = new ImageBytes(original.path);
      damage(image);
      image.save();
      await checkRepair(original, what);
      image.save();
      const content = contentOf(original);
      const told = repair(original.path, "all");
      const after = checkedByDriver(original.path);
      assertEquals(after.code, UNREPAIRABLE.includes(what) ? 2 : 0, `${told}\n---\n${after.told}`);
      const { bytes, isMarkedCorrupt } = new ImageBytes(original.path);
      assertEquals(isMarkedCorrupt, false);
      assertSameContent(content, contentOf(original), told);
      // A second time, there is nothing to be done.
      repair(original.path, "all");
      if (after.code === 0) assertEquals(Deno.readFileSync(original.path), bytes);
    });
  }
}

oracleTest("checkQcow() repairs leaks, and leaves all else as it is", ORIGINAL_TOOLS, async () => {
  using folder = new TempDirectory(memoryFolder());
  const [recipe] = FULL;
  assert(recipe !== undefined);
  const { path } = await makeOriginal(folder.path, recipe);
  for (const [what, damage] of Object.entries(DAMAGES)) {
    const image = new ImageBytes(path);
    const whole = image.bytes.slice();
    damage(image);
    image.save();
    const before = checkedByDriver(path).numbers;
    const told = repair(path, "leaks");
    const after = checkedByDriver(path).numbers;
    const qemu = await checkedByQemu(path);
    assertEquals(after, qemu.numbers, `${what}\n${told}\n---\n${qemu.told}`);
    assertLessOrEqual(Number(after["leaks"] ?? 0), Number(before["leaks"] ?? 0), what);
    if (before["corruptions"] === undefined) assertEquals(after["leaks"], undefined, what);
    Deno.writeFileSync(path, whole);
  }
});
