/**
 * Crashes at every point of random changes: the image stays valid, what a flush has made durable is
 * there, and no sector ever has what another one had.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater } from "@std/assert";
import { memoryFolder, TempDirectory } from "../../../support/tools.ts";
import { AllowedContents } from "../../qcow/write/allowed_contents.ts";
import { CrashRun, type Sabotage } from "../../qcow/write/crash_run.ts";
import { crashStates } from "../../qcow/write/crash_states.ts";
import { FileContent } from "../../qcow/write/file_content.ts";
import type { Original } from "../../qcow/write/originals.ts";
import { Random, stampedBytes } from "../../qcow/write/random_ops.ts";
import { WritableDisk } from "../../qcow/write/writable_disk.ts";
import { buildExtent, buildVmdk, descriptor, type ExtentParts, GRAIN } from "../image_builder.ts";
import { faultsOfVmdk, isClosed, leakedGrains } from "./checker.ts";

const REQUEST = { format: "VMDK" } as const;
const GRAINS = 60;
const OPS = 50;
const RUNS = Number(Deno.env.get("TSLOSETUP_CRASH_RUNS") ?? 2);
/** Where everything is memory. */
const FOLDER = memoryFolder();

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

/** What is recorded: the file of the descriptor, and that of the extent, if it is another one. */
interface Made {
  readonly original: Original;
  readonly paths: readonly string[];
}

function makeImage(folder: TempDirectory, { parts, hasParent, isSplit }: Kind): Made {
  const path = folder.file("image.vmdk");
  const fields = hasParent ? { parentCID: "1234abcd", parentFileNameHint: '"base.vmdk"' } : {};
  if (hasParent) {
    // Other bytes than those of the child.
    const bytes = buildVmdk({ map: FULL, stored: GRAINS });
    for (let at = 16384; at < bytes.length; at++) bytes[at] = 255 - (bytes[at] ?? 0);
    Deno.writeFileSync(folder.file("base.vmdk"), bytes);
  }
  const recipe = { name: "VMDK", version: 1, sizeBytes: GRAINS * GRAIN, options: [] } as const;
  if (!isSplit) {
    Deno.writeFileSync(path, buildVmdk(parts, fields));
    return { original: { path, recipe }, paths: [path] };
  }
  const dataPath = folder.file("image-s001.vmdk");
  Deno.writeFileSync(dataPath, buildExtent(parts));
  const line = `RW ${GRAINS * GRAIN / 512} SPARSE "image-s001.vmdk"`;
  Deno.writeTextFileSync(path, descriptor([line], fields));
  return { original: { path, recipe, dataPath }, paths: [path, dataPath] };
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
  const { original, paths } = makeImage(folder, kind);
  const before = paths.map((path) => Deno.readFileSync(path));
  const disk = readWhole(original.path);
  const faults: string[] = [];
  let states = 0;
  for (let seed = 1; seed <= runs; seed++) {
    for (const [n, path] of paths.entries()) Deno.writeFileSync(path, before[n] ?? EMPTY_FILE);
    const request = { ...REQUEST, ...(kind.isCramped ? { metadataCacheBytes: 2048 } : {}) };
    const special = sabotage === undefined ? {} : { sabotage };
    const run = new CrashRun(original, { seed, ops: OPS, keys: undefined, request, ...special });
    run.run(OPS, seed % 2 === 0 ? "closed" : "killed");
    if (seed % 2 === 0 && sabotage === undefined) checkClosed(paths, kind);
    const contents = new AllowedContents(disk, run.done);
    const files = before.map((bytes) => new FileContent(bytes));
    const random = new Random(seed);
    for (const state of crashStates(run.recording, files, { random, share: 0.5 })) {
      const isReopened = states++ % 25 === 0;
      const fault = faultOf(paths, files, { contents, at: state.at, isReopened });
      if (fault !== undefined) faults.push(`seed ${seed}, ${state.what} at ${state.at}: ${fault}`);
      if (sabotage !== undefined && faults.length > 0) return { faults, states };
    }
  }
  return { faults, states };
}

const EMPTY_FILE = new Uint8Array(0);

function checkClosed(paths: readonly string[], { name, parts }: Kind): void {
  const bytes = Deno.readFileSync(paths.at(-1) ?? "");
  assertEquals(faultsOfVmdk(bytes), []);
  if (parts.header?.flags !== 5) assert(isClosed(bytes));
  if (name !== "grains that nobody uses") assertEquals(leakedGrains(bytes), 0);
}

interface Judged {
  readonly contents: AllowedContents;
  readonly at: number;
  readonly isReopened: boolean;
}

function faultOf(
  paths: readonly string[],
  files: readonly FileContent[],
  { contents, at, isReopened }: Judged,
): string | undefined {
  const bytes = files.map((file) => file.bytes.slice());
  const faults = faultsOfVmdk(bytes.at(-1) ?? EMPTY_FILE);
  if (faults.length > 0) return faults.slice(0, 3).join("; ");
  for (const [n, path] of paths.entries()) Deno.writeFileSync(path, bytes[n] ?? EMPTY_FILE);
  const [path = ""] = paths;
  try {
    const wrong = contents.wrongSectors(readWhole(path), at);
    if (wrong.length > 0) return `sectors have what they cannot have: ${wrong.slice(0, 5)}`;
    return isReopened ? faultLater(paths, at) : undefined;
  } catch (error) {
    return `unreadable: ${error}`;
  }
}

/** What a crash has left is written to once more, and closed. */
function faultLater(paths: readonly string[], seed: number): string | undefined {
  const [path = ""] = paths;
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
  return faultsOfVmdk(Deno.readFileSync(paths.at(-1) ?? ""))[0];
}

for (const kind of KINDS) {
  Deno.test(`vmdk survives crashes: ${kind.name}`, () => {
    const { faults, states } = crash(kind, RUNS);
    assertEquals(faults.slice(0, 5), []);
    assertGreater(states, 100);
  });
}

const SABOTAGES: readonly Sabotage[] = [
  "levels are not synced apart",
  "levels go backwards",
  "the last level is not synced",
  "only data are synced",
];

for (const sabotage of SABOTAGES) {
  Deno.test(`the test for crashes of vmdk finds out if ${sabotage}`, () => {
    const [, kind] = KINDS;
    assert(kind !== undefined);
    assertGreater(crash(kind, 20, sabotage).faults.length, 0);
  });
}
