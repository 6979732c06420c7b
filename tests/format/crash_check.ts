/**
 * Crashes at every point of random changes of an image: it stays valid, what a flush has made durable is
 * there, and no sector ever has what another one had.
 *
 * @module
 */
// @ts-types="../support/std_assert.d.ts"
import { assert, assertEquals, assertGreater } from "@std/assert";
import { memoryFolder, TempDirectory } from "../support/tools.ts";
import { killAndRevive, REVIVAL_EFFORT } from "./revival_check.ts";
import { AllowedContents } from "./qcow/write/allowed_contents.ts";
import { CrashRun, type Sabotage } from "./qcow/write/crash_run.ts";
import { crashStates } from "./qcow/write/crash_states.ts";
import { FileContent } from "./qcow/write/file_content.ts";
import { type OpLimits, Random, stampedBytes } from "./qcow/write/random_ops.ts";
import { WritableDisk } from "./qcow/write/writable_disk.ts";

const OPS = 50;
const RUNS = Number(Deno.env.get("TSLOSETUP_CRASH_RUNS") ?? 3);
/** Where everything is memory. */
const FOLDER = memoryFolder();

/** An image of one format that crashes come over. */
export interface CrashedImage {
  readonly name: string;
  readonly format: string;
  /** Makes it, and what it needs, in `folder`, and answers where; of one with a piece, where that is, too. */
  make(folder: TempDirectory): string | readonly [path: string, piece: string];
  readonly sizeBytes: number;
  /** One line for each fault that could lose data; the whole file is given, or that of the piece. */
  faultsOf(bytes: Uint8Array<ArrayBuffer>): string[];
  /** What is used in vain, and is not after the image was closed in order. */
  leaksOf(bytes: Uint8Array<ArrayBuffer>): number;
  readonly metadataCacheBytes?: number;
  /** Of the changes that are made. */
  readonly limits?: Partial<OpLimits>;
  /** What other programs read of the disk, where that could be something else. */
  readByOthers?(bytes: Uint8Array<ArrayBuffer>, disk: Uint8Array): Uint8Array;
  /** Whether nothing that was answered is lost if the daemon alone is killed; discards may do nothing. */
  readonly outlivesKills?: boolean;
  /** Whether what a kill leaves used in vain between other things stays so. */
  readonly keepsGaps?: boolean;
}

/** Registers tests of images of one format, and of whether they would find out what goes wrong. */
export function testCrashes(
  images: readonly CrashedImage[],
  { sabotages, sabotaged }: {
    readonly sabotages: readonly Sabotage[];
    /** What must not go unnoticed with. */
    readonly sabotaged: CrashedImage;
  },
): void {
  for (const image of images) {
    Deno.test(`${image.format} survives crashes: ${image.name}`, () => {
      const { faults, states } = crash(image, RUNS);
      assertEquals(faults.slice(0, 5), []);
      assertGreater(states, 100);
    });
  }
  for (const image of images) {
    Deno.test(`${image.format}: nothing is missing after a revival: ${image.name}`, async () => {
      assertEquals(await revived(image), []);
    });
  }
  for (const sabotage of sabotages) {
    Deno.test(`the test for crashes of ${sabotaged.format} finds out if ${sabotage}`, () => {
      assertGreater(crash(sabotaged, 20, sabotage).faults.length, 0);
    });
  }
}

/** Makes runs and judges what crashes leave of each; one line for each fault. */
function crash(
  image: CrashedImage,
  runs: number,
  sabotage?: Sabotage,
): { faults: string[]; states: number } {
  using folder = new TempDirectory(FOLDER);
  const { name, format, sizeBytes, metadataCacheBytes, limits = {} } = image;
  const made = image.make(folder);
  const paths = typeof made === "string" ? [made] as const : made;
  const [path, piece] = paths;
  const recipe = { name, version: 1, sizeBytes, options: [] } as const;
  const before = contentsOf(paths);
  const disk = readWhole(path, format);
  const request = { format, ...(metadataCacheBytes === undefined ? {} : { metadataCacheBytes }) };
  const faults: string[] = [];
  let states = 0;
  for (let seed = 1; seed <= runs; seed++) {
    restore(paths, before);
    const special = sabotage === undefined ? {} : { sabotage };
    const options = { seed, ops: OPS, keys: undefined, request, limits, ...special };
    const dataPath = piece === undefined ? {} : { dataPath: piece };
    const run = new CrashRun({ path, recipe, ...dataPath }, options);
    run.run(OPS, seed % 2 === 0 ? "closed" : "killed");
    if (seed % 2 === 0 && sabotage === undefined) checkClosed(paths, image);
    const contents = new AllowedContents(disk, run.done);
    const files = before.map((bytes) => new FileContent(bytes));
    const random = new Random(seed);
    for (const state of crashStates(run.recording, files, { random, share: 0.2 })) {
      const isReopened = states++ % 25 === 0;
      restore(paths, files.map(({ bytes }) => bytes.slice()));
      const isKilled = state.what === "killed";
      const fault = faultOf(paths, image, { contents, at: state.at, isReopened, isKilled });
      if (fault !== undefined) faults.push(`seed ${seed}, ${state.what} at ${state.at}: ${fault}`);
      if (sabotage !== undefined && faults.length > 0) return { faults, states };
    }
  }
  return { faults, states };
}

/** Faults of an image whose daemons are killed, and revived. */
async function revived(image: CrashedImage): Promise<string[]> {
  using folder = new TempDirectory(FOLDER);
  const { name, format, sizeBytes, metadataCacheBytes, limits = {} } = image;
  const made = image.make(folder);
  const [path, piece] = typeof made === "string" ? [made] as const : made;
  const { faults } = await killAndRevive({
    original: {
      path,
      recipe: { name, version: 1, sizeBytes, options: [] },
      ...(piece === undefined ? {} : { dataPath: piece }),
    },
    storePath: folder.file("store"),
    request: { format, ...(metadataCacheBytes === undefined ? {} : { metadataCacheBytes }) },
    limits,
    faults: () => {
      const bytes = Deno.readFileSync(piece ?? path);
      const leaks = image.leaksOf(bytes);
      const isRight = leaks === 0 || image.keepsGaps && leaks < Infinity;
      return [...image.faultsOf(bytes), ...(isRight ? [] : [`${leaks} are used in vain`])];
    },
  }, REVIVAL_EFFORT);
  return faults.slice(0, 5);
}

type Contents = readonly Uint8Array<ArrayBuffer>[];

function contentsOf(paths: readonly [string, string?]): Contents {
  return paths.map((path = "") => Deno.readFileSync(path));
}

function restore(paths: readonly [string, string?], contents: Contents): void {
  for (const [n, bytes] of contents.entries()) Deno.writeFileSync(paths[n] ?? "", bytes);
}

function readWhole(path: string, format: string): Uint8Array {
  using disk = new WritableDisk(path, { request: { format, readOnly: true } });
  return disk.read(0, disk.sizeBytes).slice();
}

function checkClosed(
  [path, piece = path]: readonly [string, string?],
  { faultsOf, leaksOf }: CrashedImage,
): void {
  const bytes = Deno.readFileSync(piece);
  assertEquals([faultsOf(bytes), leaksOf(bytes)], [[], 0]);
}

interface Judged {
  readonly contents: AllowedContents;
  readonly at: number;
  readonly isReopened: boolean;
  readonly isKilled: boolean;
}

function faultOf(
  paths: readonly [string, string?],
  image: CrashedImage,
  { contents, at, isReopened, isKilled }: Judged,
): string | undefined {
  const [path, piece = path] = paths;
  const bytes = Deno.readFileSync(piece);
  const faults = image.faultsOf(bytes);
  if (faults.length > 0) return faults.slice(0, 3).join("; ");
  try {
    const disk = readWhole(path, image.format);
    for (const read of new Set([disk, image.readByOthers?.(bytes, disk) ?? disk])) {
      const wrong = contents.wrongSectors(read, at);
      if (wrong.length > 0) return `sectors have what they cannot have: ${wrong.slice(0, 5)}`;
      const hasLost = isKilled && image.outlivesKills && contents.hasLost(read, at, "anything");
      if (hasLost) return "what was answered is lost";
    }
    return isReopened ? faultLater(paths, image, at) : undefined;
  } catch (error) {
    return `unreadable: ${error}`;
  }
}

/** What a crash has left is written to once more, and closed. */
function faultLater(
  [path, piece = path]: readonly [string, string?],
  { format, faultsOf }: CrashedImage,
  seed: number,
): string | undefined {
  const random = new Random(seed);
  const disk = new WritableDisk(path, { request: { format } });
  const model = disk.read(0, disk.sizeBytes).slice();
  for (let id = 1000; id < 1010; id++) {
    const offset = random.below(disk.sizeBytes / 512) * 512;
    const length = Math.min(disk.sizeBytes - offset, 512 * (1 + random.below(40)));
    const bytes = stampedBytes(offset, length, id);
    disk.write(offset, bytes);
    model.set(bytes, offset);
  }
  assert(disk.close());
  assertEquals(readWhole(path, format), model);
  return faultsOf(Deno.readFileSync(piece))[0];
}
