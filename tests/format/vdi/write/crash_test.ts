/**
 * Crashes at every point of random changes: the image stays valid, what a flush has made durable is
 * there, and no sector ever has what another one had.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater } from "@std/assert";
import { ENTRY_FREE, ENTRY_ZERO } from "../../../../src/format/vdi/layout.ts";
import { memoryFolder, TempDirectory } from "../../../support/tools.ts";
import { AllowedContents } from "../../qcow/write/allowed_contents.ts";
import { CrashRun, type Sabotage } from "../../qcow/write/crash_run.ts";
import { crashStates } from "../../qcow/write/crash_states.ts";
import { FileContent } from "../../qcow/write/file_content.ts";
import type { Original } from "../../qcow/write/originals.ts";
import { Random, stampedBytes } from "../../qcow/write/random_ops.ts";
import { WritableDisk } from "../../qcow/write/writable_disk.ts";
import { adoptVdi, BLOCK, buildVdi, type VdiParts } from "../image_builder.ts";
import { faultsOfVdi, leaksOfVdi } from "./checker.ts";

const REQUEST = { format: "VDI" } as const;
const BLOCKS = 60;
const OPS = 50;
const RUNS = Number(Deno.env.get("TSLOSETUP_CRASH_RUNS") ?? 4);
/** Where everything is memory. */
const FOLDER = memoryFolder();

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

function makeImage(folder: TempDirectory, { parts, hasParent }: Kind): Original {
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
  const recipe = { name: "VDI", version: 1, sizeBytes: BLOCKS * BLOCK, options: [] } as const;
  return { path, recipe };
}

function readWhole(path: string): Uint8Array {
  using disk = new WritableDisk(path, { request: { ...REQUEST, readOnly: true } });
  return disk.read(0, disk.sizeBytes).slice();
}

/** Makes runs and judges what crashes leave of each; one line for each fault. */
function crash(
  kind: Kind,
  runs: number,
  sabotage?: Sabotage,
): { faults: string[]; states: number } {
  using folder = new TempDirectory(FOLDER);
  const original = makeImage(folder, kind);
  const before = Deno.readFileSync(original.path);
  const disk = readWhole(original.path);
  const faults: string[] = [];
  let states = 0;
  for (let seed = 1; seed <= runs; seed++) {
    Deno.writeFileSync(original.path, before);
    const request = { ...REQUEST, ...(kind.isCramped ? { metadataCacheBytes: 4096 } : {}) };
    const special = sabotage === undefined ? {} : { sabotage };
    const run = new CrashRun(original, { seed, ops: OPS, keys: undefined, request, ...special });
    run.run(OPS, seed % 2 === 0 ? "closed" : "killed");
    if (seed % 2 === 0 && sabotage === undefined) checkClosed(original.path, kind);
    const contents = new AllowedContents(disk, run.done);
    const file = new FileContent(before);
    const random = new Random(seed);
    for (const state of crashStates(run.recording, [file], { random, share: 0.5 })) {
      const isReopened = states++ % 25 === 0;
      const fault = faultOf(original.path, file, { contents, at: state.at, isReopened });
      if (fault !== undefined) faults.push(`seed ${seed}, ${state.what} at ${state.at}: ${fault}`);
      if (sabotage !== undefined && faults.length > 0) return { faults, states };
    }
  }
  return { faults, states };
}

/** What is closed in order has no number that nobody uses, but those that were there before. */
function checkClosed(path: string, { name }: Kind): void {
  const bytes = Deno.readFileSync(path);
  assertEquals(faultsOfVdi(bytes), []);
  if (name !== "numbers that nobody uses") assertEquals(leaksOfVdi(bytes), 0);
}

interface Judged {
  readonly contents: AllowedContents;
  readonly at: number;
  readonly isReopened: boolean;
}

function faultOf(
  path: string,
  file: FileContent,
  { contents, at, isReopened }: Judged,
): string | undefined {
  const bytes = file.bytes.slice();
  const faults = faultsOfVdi(bytes);
  if (faults.length > 0) return faults.slice(0, 3).join("; ");
  Deno.writeFileSync(path, bytes);
  try {
    const wrong = contents.wrongSectors(readWhole(path), at);
    if (wrong.length > 0) return `sectors have what they cannot have: ${wrong.slice(0, 5)}`;
    return isReopened ? faultLater(path, at) : undefined;
  } catch (error) {
    return `unreadable: ${error}`;
  }
}

/** What a crash has left is written to once more, and closed. */
function faultLater(path: string, seed: number): string | undefined {
  const random = new Random(seed);
  const disk = new WritableDisk(path, { request: REQUEST });
  const model = disk.read(0, disk.sizeBytes).slice();
  for (let id = 1000; id < 1010; id++) {
    const offset = random.below(disk.sizeBytes / 512) * 512;
    const length = Math.min(disk.sizeBytes - offset, 512 * (1 + random.below(40)));
    const bytes = stampedBytes(offset, length, id);
    disk.write(offset, bytes);
    model.set(bytes, offset);
  }
  if (!disk.close()) return "not closed in order";
  assertEquals(readWhole(path), model);
  return faultsOfVdi(Deno.readFileSync(path))[0];
}

for (const kind of KINDS) {
  Deno.test(`vdi survives crashes: ${kind.name}`, () => {
    const { faults, states } = crash(kind, RUNS);
    assertEquals(faults.slice(0, 5), []);
    assertGreater(states, 100);
  });
}

const SABOTAGES: readonly Sabotage[] = [
  "levels are not synced apart",
  "levels go backwards",
  "counts are not written",
  "the last level is not synced",
  "only data are synced",
];

for (const sabotage of SABOTAGES) {
  Deno.test(`the test for crashes of vdi finds out if ${sabotage}`, () => {
    const [, kind] = KINDS;
    assert(kind !== undefined);
    assertGreater(crash(kind, 20, sabotage).faults.length, 0);
  });
}
