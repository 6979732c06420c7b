/**
 * Daemons that are killed at every point of random changes of an image, and others that take their place:
 * nothing that was answered is missing then, though nobody has flushed, and no sector has what another one
 * had. Those others are killed, too, while they make up for it.
 *
 * @module
 */
import type { ChangeJournal, KeptChanges } from "../../src/disk/change_journal.ts";
import { replayChanges } from "../../src/loop/replay_changes.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { AllowedContents } from "./qcow/write/allowed_contents.ts";
import { CrashRun, type RunOptions } from "./qcow/write/crash_run.ts";
import { type CrashState, crashStates } from "./qcow/write/crash_states.ts";
import { BLOCK_BYTES, FileContent } from "./qcow/write/file_content.ts";
import type { Original } from "./qcow/write/originals.ts";
import { Random } from "./qcow/write/random_ops.ts";
import { Recording } from "./qcow/write/recording.ts";
import { openForWriting, WritableDisk } from "./qcow/write/writable_disk.ts";

const RECORD_BYTES = 64;
/** So few that they become too many. */
const RECORDS = 64;
const MEMORY_BYTES = (1 + RECORDS) * RECORD_BYTES;
const OPS = 50;

/** An image that daemons are killed of. */
export interface RevivedImage {
  readonly original: Original;
  /** A file in the same folder, for what is held meanwhile. */
  readonly storePath: string;
  readonly request?: RunOptions["request"];
  readonly limits?: RunOptions["limits"];
  /** One line for each fault of the files, as they are once it is closed: what is used in vain is one, too. */
  faults(): readonly string[] | Promise<readonly string[]>;
}

/** How much is tried. */
export interface RevivalEffort {
  readonly runs: number;
  /** Of all points at which it can be killed. */
  readonly share: number;
  readonly firstSeed?: number;
  readonly sabotage?: RunOptions["sabotage"];
  readonly spoil?: (journal: ChangeJournal) => void;
}

const RUNS = Number(Deno.env.get("TSLOSETUP_REVIVALS") ?? 1);

/** A little of everything, or, with TSLOSETUP_REVIVALS, more of that (`deno task test:revived-changes`). */
export const REVIVAL_EFFORT: RevivalEffort = { runs: RUNS, share: RUNS > 1 ? 0.1 : 0.02 };

/** What came of it. */
export interface Revivals {
  readonly faults: string[];
  /** How many daemons took the place of others, and of those that were killed doing that. */
  revived: number;
  again: number;
  /** How many changes they made once more. */
  replayed: number;
}

/** The files of an image, and after them the store and the memory, as a kill leaves them. */
type Left = readonly Uint8Array<ArrayBuffer>[];

/** Kills daemons and revives them; the files are put back to what they were at last. */
export async function killAndRevive(
  image: RevivedImage,
  { runs, share, firstSeed = 1, sabotage, spoil }: RevivalEffort,
): Promise<Revivals> {
  const { original, request, limits } = image;
  const paths = pathsOf(original);
  const before = paths.map((path) => Deno.readFileSync(path));
  const disk = readAll(image);
  const found: Revivals = { faults: [], revived: 0, again: 0, replayed: 0 };
  const isSpoilt = sabotage !== undefined || spoil !== undefined;
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    restore(paths, before);
    Deno.writeFileSync(image.storePath, new Uint8Array());
    const kept = keptIn(new Uint8Array(MEMORY_BYTES), openForWriting(image.storePath));
    const run = new CrashRun(original, {
      seed,
      ops: OPS,
      keys: original.keys,
      kept,
      ...(request === undefined ? {} : { request }),
      ...(limits === undefined ? {} : { limits }),
      ...(sabotage === undefined ? {} : { sabotage }),
      ...(spoil === undefined ? {} : { spoil }),
    });
    run.run(OPS, "killed");
    kept.store[Symbol.dispose]();
    const contents = new AllowedContents(disk, run.done);
    const files = [...before, new Uint8Array(MEMORY_BYTES)].map((one) => new FileContent(one));
    const random = new Random(seed);
    for (const state of crashStates(run.recording, files, { random, share })) {
      if (state.what === "power failed") continue;
      const left = leftBy(state, paths.length);
      const judged = { contents, at: state.at, random, found, spoil };
      const fault = await faultOf(image, left, judged);
      if (fault !== undefined) {
        found.faults.push(`seed ${seed}, ${state.what} at ${state.at}: ${fault}`);
      }
      if (isSpoilt && found.faults.length > 0) break;
    }
    if (isSpoilt && found.faults.length > 0) break;
  }
  restore(paths, before);
  return found;
}

function pathsOf({ path, dataPath }: Original): string[] {
  return [path, ...(dataPath === undefined ? [] : [dataPath])];
}

function restore(paths: readonly string[], contents: Left): void {
  for (const [n, path] of paths.entries()) writeSparsely(path, contents[n] ?? new Uint8Array());
}

/** What is all zeros is a hole. */
function writeSparsely(path: string, bytes: Uint8Array): void {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  file.truncateSync(bytes.length);
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_BYTES);
    if (block.every((byte) => byte === 0)) continue;
    file.seekSync(at, Deno.SeekMode.Start);
    file.writeSync(block);
  }
}

function leftBy({ files }: CrashState, count: number): Left {
  const copies = files.map(({ bytes }) => bytes.slice());
  const [memory = new Uint8Array()] = copies.slice(count);
  return [...copies.slice(0, count), new Uint8Array(), memory];
}

function keptIn(memory: Uint8Array, store: KeptChanges["store"]): KeptChanges {
  const buffer = new IoBuffer(memory.length);
  buffer.bytes.set(memory);
  return { memory: buffer, store, storeOffset: 0 };
}

interface Judged {
  readonly contents: AllowedContents;
  readonly at: number;
  readonly random: Random;
  readonly found: Revivals;
  readonly spoil: RevivalEffort["spoil"];
}

/** What is wrong when a daemon has been revived, and when the one that was to do it was killed, too. */
async function faultOf(
  image: RevivedImage,
  left: Left,
  judged: Judged,
): Promise<string | undefined> {
  const replay = new Recording();
  const fault = await revive(image, left, judged, replay);
  judged.found.revived++;
  if (fault !== undefined) return fault;
  const steps = replay.steps.length;
  if (steps === 0 || judged.random.below(3) > 0) return undefined;
  const files = left.map((bytes) => new FileContent(bytes));
  const share = Math.min(1, 2 / steps);
  for (const state of crashStates(replay, files, { random: judged.random, share })) {
    const then = state.files.map(({ bytes }) => bytes.slice());
    if (state.what === "power failed") {
      const lost = foundAfterPowerFailure(image, then, judged);
      if (lost !== undefined) return `power failed at ${state.at} of ${steps}: ${lost}`;
      continue;
    }
    const again = await revive(image, then, judged, new Recording());
    judged.found.again++;
    if (again !== undefined) return `killed again at ${state.at} of ${steps}: ${again}`;
  }
  return undefined;
}

/** Memory does not outlive that: what was durable is there nevertheless. */
function foundAfterPowerFailure(
  image: RevivedImage,
  left: Left,
  { contents, at }: Judged,
): string | undefined {
  restore(pathsOf(image.original), left);
  const wrong = contents.wrongSectors(readAll(image), at);
  return wrong.length > 0 ? `sectors have what they cannot have: ${wrong.slice(0, 5)}` : undefined;
}

async function revive(
  image: RevivedImage,
  left: Left,
  { contents, at, found, spoil }: Judged,
  recording: Recording,
): Promise<string | undefined> {
  const { original, storePath, request } = image;
  const paths = pathsOf(original);
  restore([...paths, storePath], left);
  try {
    const file = recording.open(original.path);
    const { dataPath, backingPath, keys } = original;
    const dataFile = dataPath === undefined ? undefined : recording.open(dataPath);
    using store = recording.open(storePath);
    const kept = keptIn(left.at(-1) ?? new Uint8Array(), store);
    recording.watch(kept.memory.bytes);
    const disk = new WritableDisk(original.path, {
      file,
      kept,
      ...(dataFile === undefined ? {} : { dataFile }),
      ...(dataFile === undefined || backingPath === undefined ? {} : { backingPath }),
      ...(keys === undefined ? {} : { keys }),
      ...(request === undefined ? {} : { request }),
    });
    if (disk.access.kept !== undefined) spoil?.(disk.access.kept.journal);
    found.replayed += replayChanges(disk.access);
    recording.look();
    const fault = faultIn(disk.read(0, disk.sizeBytes), contents, at);
    if (fault !== undefined) return fault;
    if (!disk.close()) return "not closed in order";
  } catch (error) {
    return `not revived: ${error instanceof Error ? error.stack : error}`;
  }
  const later = faultIn(readAll(image), contents, at);
  if (later !== undefined) return `once it is closed, ${later}`;
  const faults = await image.faults();
  return faults.length === 0 ? undefined : faults.slice(0, 3).join("; ");
}

function faultIn(disk: Uint8Array, contents: AllowedContents, at: number): string | undefined {
  const wrong = contents.wrongSectors(disk, at);
  if (wrong.length > 0) return `sectors have what they cannot have: ${wrong.slice(0, 5)}`;
  return contents.hasLost(disk, at, "anything") ? "what was answered is missing" : undefined;
}

function readAll({ original: { path, keys }, request }: RevivedImage): Uint8Array {
  using disk = new WritableDisk(path, {
    request: { ...request, readOnly: true },
    ...(keys === undefined ? {} : { keys }),
  });
  return disk.read(0, disk.sizeBytes).slice();
}
