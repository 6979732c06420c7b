/**
 * Crashes at every point of random changes: the image stays valid, what a flush has made durable is
 * there, and no sector ever has what another one had.
 *
 * @module
 */
// @ts-types="../../../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater } from "@std/assert";
import { IMAGE_TOOLS } from "../../../support/images.ts";
import { memoryFolder, must, oracleTest, TempDirectory } from "../../../support/tools.ts";
import { AllowedContents } from "../../qcow/write/allowed_contents.ts";
import { killAndRevive, REVIVAL_EFFORT } from "../../revival_check.ts";
import { CrashRun, type Sabotage } from "../../qcow/write/crash_run.ts";
import { crashStates } from "../../qcow/write/crash_states.ts";
import { BLOCK_BYTES, FileContent } from "../../qcow/write/file_content.ts";
import type { Original } from "../../qcow/write/originals.ts";
import { Random, stampedBytes } from "../../qcow/write/random_ops.ts";
import { WritableDisk } from "../../qcow/write/writable_disk.ts";
import { at, BITS, buildVhdx, guid, guidOf, MIB, type VhdxParts } from "../image_builder.ts";
import { chunk } from "../chunk.ts";
import { faultsOfVhdx } from "./checker.ts";

const REQUEST = { format: "VHDX" } as const;
const OPS = 30;
const RUNS = Number(Deno.env.get("TSLOSETUP_CRASH_RUNS") ?? 2);
const SHARE = { right: 0.15, wrong: 0.6 } as const;
/** Three blocks, the last one not whole. */
const SIZE = 2 * MIB + 256 * 1024;
/** What random changes are like: blocks are large, but what is changed of them is not. */
const LIMITS = { mostBytes: 96 * 1024, unitBytes: 32768 };
/** Where everything is memory. */
const FOLDER = memoryFolder();

interface Kind {
  readonly name: string;
  readonly parts: VhdxParts;
  readonly hasParent?: boolean;
}

const KINDS: readonly Kind[] = [
  { name: "empty", parts: { bat: [], stored: 0 } },
  { name: "some blocks", parts: { bat: [[2], at(0), [3, 7]], stored: 1 } },
  { name: "a child", parts: { bat: chunk([at(0, 7), [2], [0]]), stored: 1 }, hasParent: true },
  { name: "a child, empty", parts: { bat: chunk([], false), stored: 0 }, hasParent: true },
  {
    name: "a child, with sectors of 4096 bytes",
    parts: { bat: [], sectorBytes: 4096, stored: 0 },
    hasParent: true,
  },
];

function makeImage(folder: TempDirectory, { parts, hasParent }: Kind): Original {
  const path = folder.file("image.vhdx");
  const links = { parent_linkage: `{${guidOf(2)}}`, relative_path: ".\\base.vhdx" };
  const parent = hasParent ? { parent: links, header: { data_write_guid: guid(5) } } : {};
  const bits = Array.from({ length: 64 }, (_, index) => index % 3 === 0 ? 0xff : 0x5a);
  Deno.writeFileSync(path, buildVhdx({ ...parts, ...parent, bits, sizeBytes: SIZE }));
  if (hasParent) {
    const { sectorBytes = 512 } = parts;
    const bat = [at(2), at(1), at(0)];
    const bytes = buildVhdx({ bat, sizeBytes: SIZE, stored: 3, sectorBytes });
    // Other bytes than those of the child.
    for (let n = BITS + MIB; n < bytes.length; n++) bytes[n] = 255 - (bytes[n] ?? 0);
    Deno.writeFileSync(folder.file("base.vhdx"), bytes);
  }
  const recipe = { name: "VHDX", version: 1, sizeBytes: SIZE, options: [] } as const;
  return { path, recipe };
}

function readWhole(path: string): Uint8Array {
  using disk = new WritableDisk(path, { request: { ...REQUEST, readOnly: true } });
  return disk.read(0, disk.sizeBytes).slice();
}

/** A file that has what a crash has left, of which only what is new is written. */
class CrashedFile {
  readonly path: string;
  readonly #content: FileContent;

  constructor(path: string, content: FileContent) {
    this.path = path;
    this.#content = content;
    Deno.writeFileSync(path, content.bytes);
    content.takeUnseen();
  }

  write(): void {
    using file = Deno.openSync(this.path, { write: true });
    for (const block of this.#content.takeUnseen()) {
      file.seekSync(block * BLOCK_BYTES, Deno.SeekMode.Start);
      file.writeSync(this.#content.block(block));
    }
    file.truncateSync(this.#content.sizeBytes);
  }
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
    const special = sabotage === undefined ? {} : { sabotage };
    const how = { seed, ops: OPS, keys: undefined, request: REQUEST, limits: LIMITS, ...special };
    const run = new CrashRun(original, how);
    run.run(OPS, seed % 2 === 0 ? "closed" : "killed");
    if (seed % 2 === 0 && sabotage === undefined) checkClosed(original.path, kind);
    const contents = new AllowedContents(disk, run.done);
    const file = new FileContent(before);
    const crashed = new CrashedFile(folder.file("crashed.vhdx"), file);
    const random = new Random(seed);
    const share = sabotage === undefined ? SHARE.right : SHARE.wrong;
    for (const state of crashStates(run.recording, [file], { random, share })) {
      crashed.write();
      const again = states++ % 20 === 0 ? folder.file("again.vhdx") : undefined;
      const fault = faultOf(crashed.path, { contents, at: state.at, again, kind });
      if (fault !== undefined) faults.push(`seed ${seed}, ${state.what} at ${state.at}: ${fault}`);
      if (sabotage !== undefined && faults.length > 0) return { faults, states };
    }
  }
  return { faults, states };
}

function checkClosed(path: string, { hasParent = false, parts }: Kind): void {
  // The BAT of one with larger sectors is laid out otherwise.
  if (parts.sectorBytes !== undefined) return;
  assertEquals(faultsOfVhdx(Deno.readFileSync(path), { blocks: 3, hasParent }), []);
}

interface Judged {
  readonly contents: AllowedContents;
  readonly at: number;
  /** Where the image is written to once more, if it is. */
  readonly again: string | undefined;
  readonly kind: Kind;
}

function faultOf(path: string, { contents, at, again, kind }: Judged): string | undefined {
  try {
    const found = readWhole(path);
    const wrong = contents.wrongSectors(found, at);
    if (wrong.length > 0) return `sectors have what they cannot have: ${wrong.slice(0, 5)}`;
    return again === undefined ? undefined : faultLater(path, { again, kind, seed: at, found });
  } catch (error) {
    return `unreadable: ${error}`;
  }
}

interface Later extends Pick<Judged, "kind"> {
  readonly again: string;
  readonly seed: number;
  readonly found: Uint8Array;
}

/** What a crash has left is written to once more, and closed: the log is replayed on the disk. */
function faultLater(path: string, { again, kind, seed, found }: Later): string | undefined {
  Deno.copyFileSync(path, again);
  const random = new Random(seed);
  const disk = new WritableDisk(again, { request: REQUEST });
  const model = disk.read(0, disk.sizeBytes).slice();
  if (!areSame(model, found)) return "another disk once the log has been replayed";
  for (let id = 1000; id < 1006; id++) {
    const offset = random.below(disk.sizeBytes / 512) * 512;
    const length = Math.min(disk.sizeBytes - offset, 512 * (1 + random.below(80)));
    const bytes = stampedBytes(offset, length, id);
    disk.write(offset, bytes);
    model.set(bytes, offset);
  }
  if (!disk.close()) return "not closed in order";
  assert(areSame(readWhole(again), model));
  checkClosed(again, kind);
  return undefined;
}

function areSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

for (const kind of KINDS) {
  Deno.test(`vhdx survives crashes: ${kind.name}`, () => {
    const { faults, states } = crash(kind, RUNS);
    assertEquals(faults.slice(0, 5), []);
    assertGreater(states, 30);
  });
}

for (const kind of KINDS) {
  Deno.test(`vhdx: nothing is missing after a revival: ${kind.name}`, async () => {
    using folder = new TempDirectory(FOLDER);
    const original = makeImage(folder, kind);
    const { hasParent = false, parts: { sectorBytes } } = kind;
    const { faults } = await killAndRevive({
      original,
      storePath: folder.file("store"),
      request: REQUEST,
      limits: LIMITS,
      faults: () =>
        sectorBytes === undefined
          ? faultsOfVhdx(Deno.readFileSync(original.path), { blocks: 3, hasParent })
          : [],
    }, { ...REVIVAL_EFFORT, share: REVIVAL_EFFORT.share / 3 });
    assertEquals(faults.slice(0, 5), []);
  });
}

const SABOTAGES: readonly Sabotage[] = [
  "levels are not synced apart",
  "only data are synced",
];

for (const sabotage of SABOTAGES) {
  Deno.test(`the test for crashes of vhdx finds out if ${sabotage}`, () => {
    // Where data are lost there, what was below does not show again.
    const kind = KINDS.find(({ name }) => name === "a child, empty");
    assert(kind !== undefined);
    assertGreater(crash(kind, 20, sabotage).faults.length, 0);
  });
}

oracleTest("qemu replays the log that a crash leaves as vhdx does", IMAGE_TOOLS, async () => {
  const [kind] = KINDS;
  assert(kind !== undefined);
  using folder = new TempDirectory(FOLDER);
  const original = makeImage(folder, kind);
  const before = Deno.readFileSync(original.path);
  const how = { seed: 5, ops: OPS, keys: undefined, request: REQUEST, limits: LIMITS };
  const run = new CrashRun(original, how);
  run.run(OPS, "killed");
  const file = new FileContent(before);
  const crashed = new CrashedFile(folder.file("crashed.vhdx"), file);
  const random = new Random(5);
  let asked = 0;
  for (const _ of crashStates(run.recording, [file], { random, share: 0.03 })) {
    crashed.write();
    const found = readWhole(crashed.path);
    const [copy, raw] = [folder.file("copy.vhdx"), folder.file("raw")];
    Deno.copyFileSync(crashed.path, copy);
    // An image that needs no replay is left as it is.
    await must("qemu-img", "check", "-q", "-r", "all", "-f", "vhdx", copy);
    await must("qemu-img", "convert", "-f", "vhdx", "-O", "raw", copy, raw);
    assert(areSame(Deno.readFileSync(raw), found), "qemu reads other bytes");
    asked++;
  }
  assertGreater(asked, 3);
});
