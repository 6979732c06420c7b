/**
 * Snapshots that are taken, applied or deleted while the power fails, or a call does: the image is as it
 * was, or as it is to be, with no fault and no leak.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater } from "@std/assert";
import type { SnapshotChange } from "../../../../src/image/snapshot_change.ts";
import { EIO, ENOSPC, SystemError } from "../../../../src/sys/errno.ts";
import { memoryFolder, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { checkImage } from "../write/checker.ts";
import { crashStates } from "../write/crash_states.ts";
import { FileContent } from "../write/file_content.ts";
import { type Original, ORIGINAL_TOOLS } from "../write/originals.ts";
import { faultByQemu } from "../write/qemu_judge.ts";
import { Random } from "../write/random_ops.ts";
import { type FallibleCall, Recording } from "../write/recording.ts";
import { change, contentOf, makeWithHistory, SNAPSHOT_RECIPES, writeSome } from "./prepared.ts";

/** How many states each change is tried in, about. */
const STATES = Number(Deno.env.get("TSLOSETUP_CRASH_STATES") ?? 40);
const QEMU_EVERY = 30;
const REOPEN_EVERY = 20;
const CLEAN = { corruptions: [], leaks: 0 };

/** A change, and the snapshots that there are before and after. */
interface Case {
  readonly wanted: SnapshotChange;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

const CASES: readonly Case[] = [
  {
    wanted: { action: "create", name: "three" },
    before: ["one", "two"],
    after: ["one", "two", "three"],
  },
  { wanted: { action: "apply", name: "one" }, before: ["one", "two"], after: ["one", "two"] },
  { wanted: { action: "delete", name: "two" }, before: ["one", "two"], after: ["one"] },
];

/** What an image may be: as it was, or as it is to be. */
class Possible {
  readonly #original: Original;
  readonly #case: Case;
  readonly #before: string;
  #after = "";
  #count = 0;

  constructor(original: Original, wanted: Case) {
    this.#original = original;
    this.#case = wanted;
    this.#before = contentOf(original, wanted.before);
  }

  /** The file is as it is to be. */
  isChanged(): void {
    this.#after = contentOf(this.#original, this.#case.after);
    this.#count = snapshotsIn(this.#original);
  }

  /** What it is, by what is in the file; fails if it is neither. */
  which(what: string): "before" | "after" {
    const { before, after } = this.#case;
    assertEquals(checkImage(Deno.readFileSync(this.#original.path)), CLEAN, what);
    const isChanged = snapshotsIn(this.#original) === this.#count;
    if (isChanged && contentOf(this.#original, after) === this.#after) return "after";
    assertEquals(contentOf(this.#original, before), this.#before, what);
    return "before";
  }
}

/** How many snapshots the image has. */
function snapshotsIn({ path }: Original): number {
  return new DataView(Deno.readFileSync(path).buffer).getUint32(60);
}

for (const recipe of SNAPSHOT_RECIPES) {
  for (const one of CASES) {
    const { wanted } = one;
    oracleTest(
      `a crash leaves all or nothing of it: ${wanted.action}, ${recipe.name}`,
      ORIGINAL_TOOLS,
      async () => {
        using folder = new TempDirectory(memoryFolder());
        const original = await makeWithHistory(folder.path, recipe);
        if (refused(original, wanted)) return;
        const bytes = Deno.readFileSync(original.path);
        assertEquals(checkImage(bytes), CLEAN);
        const possible = new Possible(original, one);
        const recording = new Recording();
        change(original.path, wanted, recording.open(original.path));
        possible.isChanged();
        assertEquals(possible.which("in the end"), "after");
        const random = new Random(1);
        const share = Math.min(1, STATES / (recording.steps.length * 4));
        let states = 0;
        const state = new FileContent(bytes);
        for (const { at, what } of crashStates(recording, [state], { random, share })) {
          Deno.writeFileSync(original.path, state.bytes);
          possible.which(`${what} at ${at}`);
          states++;
          if (states % QEMU_EVERY === 0) assertEquals(await faultByQemu(original), undefined);
          if (states % REOPEN_EVERY !== 0) continue;
          writeSome(original, 7, 5);
          assertEquals(
            checkImage(Deno.readFileSync(original.path)),
            CLEAN,
            `later, ${what} at ${at}`,
          );
        }
        assertGreater(states, 5);
      },
    );
  }
}

/** Whether an image cannot have it so; it is as it was then. */
function refused({ path }: Original, wanted: SnapshotChange): boolean {
  const bytes = Deno.readFileSync(path);
  try {
    change(path, wanted);
    return false;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    assertEquals(Deno.readFileSync(path).length, bytes.length);
    assertEquals(checkImage(Deno.readFileSync(path)), CLEAN);
    return true;
  } finally {
    Deno.writeFileSync(path, bytes);
  }
}

const CALLS: readonly FallibleCall[] = ["pread", "pwrite", "ftruncate", "fdatasync", "fallocate"];
const FAILING = ["half full", "snapshot, 512 B, compressed", "extended L2, backed"];

for (const recipe of SNAPSHOT_RECIPES.filter(({ name }) => FAILING.includes(name))) {
  for (const one of CASES) {
    const { wanted } = one;
    oracleTest(
      `a call that fails leaves all or nothing of it: ${wanted.action}, ${recipe.name}`,
      ORIGINAL_TOOLS,
      async () => {
        using folder = new TempDirectory(memoryFolder());
        const original = await makeWithHistory(folder.path, recipe);
        const bytes = Deno.readFileSync(original.path);
        const possible = new Possible(original, one);
        change(original.path, wanted);
        possible.isChanged();
        for (const errno of [EIO, ENOSPC]) {
          for (let at = 0, calls = 1; at < calls; at++) {
            Deno.writeFileSync(original.path, bytes);
            const failed = tryWith(original, wanted, { errno, at });
            calls = failed.calls;
            const what = `call ${at} of ${calls}: ${failed.error}`;
            const found = possible.which(what);
            if (failed.error === undefined) assertEquals(found, "after", what);
            // What comes after the first sync is the header: what it refers to stays.
            if (failed.syncs > 0) continue;
            assertEquals(Deno.statSync(original.path).size, bytes.length, what);
          }
        }
      },
    );
  }
}

interface Failed {
  readonly calls: number;
  readonly syncs: number;
  readonly error: SystemError | undefined;
}

/** Makes a change, of whose calls the one with the number `at` fails, or all from there on. */
function tryWith(
  { path }: Original,
  wanted: SnapshotChange,
  { errno, at }: { readonly errno: number; readonly at: number },
): Failed {
  const recording = new Recording();
  let calls = 0;
  recording.fault = (call) => CALLS.includes(call) && calls++ === at ? errno : 0;
  try {
    change(path, wanted, recording.open(path));
    return { calls, syncs: recording.syncs.length, error: undefined };
  } catch (error) {
    assert(error instanceof SystemError, `${error}`);
    return { calls: Infinity, syncs: recording.syncs.length, error };
  }
}
