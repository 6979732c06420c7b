/**
 * Whether the states that crashes leave an image in are valid.
 *
 * @module
 */
import { AllowedContents } from "./allowed_contents.ts";
import { checkImage } from "./checker.ts";
import type { DoneOp } from "./crash_run.ts";
import { type CrashState, crashStates } from "./crash_states.ts";
import { FileContent } from "./file_content.ts";
import type { Original } from "./originals.ts";
import { faultByQemu } from "./qemu_judge.ts";
import { Random, stampedBytes } from "./random_ops.ts";
import type { Recording } from "./recording.ts";
import { StoredContent } from "./stored_content.ts";
import { WholeDisk } from "./whole_disk.ts";
import { WritableDisk } from "./writable_disk.ts";

/** So many clusters may be reserved behind the end that a file has after a power failure. */
const RESERVED = 8192;

/** What has been found in the states of one run. */
export interface Verdict {
  /** How many there were; none is counted that an earlier one was the same as, byte for byte. */
  readonly states: number;
  /** One line for each state that is not as it has to be. */
  readonly faults: readonly string[];
  /** How many states after kills lack something that had been acknowledged. */
  readonly forgetful: number;
  readonly kills: number;
}

/** How much is looked at, each as one state of so many. */
export interface Thoroughness {
  /** Of all states. */
  readonly share: number;
  readonly qemuEvery: number;
  readonly reopenEvery: number;
  /** What has been judged of earlier runs, and this one's states are added to. */
  readonly seen?: Set<string>;
  /** Whether one fault is enough. */
  readonly untilFault?: boolean;
}

/** Changes of an image, and what its files went through. */
export interface RecordedRun {
  readonly recording: Recording;
  readonly done: readonly DoneOp[];
}

/** The files of an image before it is written to. */
export interface Before {
  readonly files: readonly Uint8Array[];
  readonly disk: Uint8Array;
}

/** @param sizeBytes of the disk in the end, if it gets larger */
export function beforeRun(original: Original, sizeBytes = 0): Before {
  const whole = new WholeDisk(original, Math.max(original.recipe.sizeBytes, sizeBytes));
  return {
    files: pathsOf(original).map((path) => Deno.readFileSync(path)),
    disk: whole.read().bytes,
  };
}

function pathsOf({ path, dataPath }: Original): string[] {
  return [path, ...dataPath === undefined ? [] : [dataPath]];
}

/** The sizes that the disk may have when `at` steps have been made. */
function allowedSizes(original: Original, done: readonly DoneOp[], at: number): number[] {
  let sizes = [original.recipe.sizeBytes];
  for (const { op, began, ended } of done) {
    if (op.kind !== "grow" || began > at) continue;
    sizes = ended <= at ? [op.sizeBytes] : [...sizes, op.sizeBytes];
  }
  return sizes;
}

/** Judges the states of a run; the files of the image are put back to what they were at last. */
export async function judge(
  original: Original,
  before: Before,
  recorded: RecordedRun,
  { share, qemuEvery, reopenEvery, seen = new Set(), untilFault = false }: Thoroughness,
): Promise<Verdict> {
  const random = new Random(recorded.done.length + 7);
  const files = before.files.map((bytes) => new FileContent(bytes));
  const stored = pathsOf(original).map((path, n) => new StoredContent(path, fileAt(files, n)));
  const allowed: Allowed = {
    contents: new AllowedContents(before.disk, recorded.done),
    sizesAt: (at) => allowedSizes(original, recorded.done, at),
    disk: new WholeDisk(original, before.disk.length),
  };
  const faults: string[] = [];
  let [states, forgetful, kills] = [0, 0, 0];
  for (const state of crashStates(recorded.recording, files, { random, share })) {
    for (const file of stored) file.put();
    const key = stored.map((file) => file.key).join();
    const isNew = !seen.has(key);
    seen.add(key);
    if (isNew) states++;
    const found = lookAt(state, allowed, isNew);
    if (state.what !== "power failed") kills++;
    if (found.lost) forgetful++;
    if (isNew && found.fault === undefined && states % qemuEvery === 0) {
      found.fault = await faultByQemu(original);
    }
    if (isNew && found.fault === undefined && states % reopenEvery === 0) {
      found.fault = goOnWith(original, random);
      for (const file of stored) file.forget();
    }
    if (found.fault !== undefined) faults.push(`${state.what} at ${state.at}: ${found.fault}`);
    if (untilFault && faults.length > 0) break;
  }
  for (const [n, path] of pathsOf(original).entries()) {
    Deno.writeFileSync(path, before.files[n] ?? new Uint8Array());
  }
  return { states, faults, forgetful, kills };
}

function fileAt(files: readonly FileContent[], n: number): FileContent {
  return files[n] ?? new FileContent(new Uint8Array());
}

/** What an image may be. */
interface Allowed {
  readonly contents: AllowedContents;
  readonly sizesAt: (at: number) => readonly number[];
  readonly disk: WholeDisk;
}

/** @param isNew whether no other state had the same bytes: how valid they are is known then */
function lookAt(
  { what, at, files }: CrashState,
  { contents, sizesAt, disk }: Allowed,
  isNew: boolean,
): { fault: string | undefined; lost: boolean } {
  const corruptions = isNew ? checkImage(fileAt(files, 0).bytes).corruptions : [];
  if (corruptions.length > 0) {
    return { fault: `corrupt: ${corruptions.slice(0, 3).join("; ")}`, lost: false };
  }
  try {
    const { bytes, sizeBytes } = disk.read();
    if (!sizesAt(at).includes(sizeBytes)) {
      return { fault: `a disk of ${sizeBytes} bytes`, lost: false };
    }
    const wrong = contents.wrongSectors(bytes, at);
    const fault = wrong.length > 0
      ? `sectors have what they cannot have: ${wrong.slice(0, 5)}`
      : undefined;
    return { fault, lost: what !== "power failed" && contents.hasLost(bytes, at) };
  } catch (error) {
    return { fault: `unreadable: ${error}`, lost: false };
  }
}

/** What a crash has left is written to once more, and closed. */
function goOnWith(original: Original, random: Random): string | undefined {
  const { path, keys } = original;
  const disk = new WritableDisk(path, keys === undefined ? {} : { keys });
  const { leaks } = checkImage(Deno.readFileSync(path), RESERVED);
  for (let id = 1000; id < 1010; id++) {
    const offset = random.below(disk.sizeBytes / 512) * 512;
    const length = Math.min(disk.sizeBytes - offset, 512 * (1 + random.below(40)));
    disk.write(offset, stampedBytes(offset, length, id));
  }
  if (!disk.close()) return "not closed in order";
  const after = checkImage(Deno.readFileSync(path), RESERVED);
  if (after.corruptions.length > 0) {
    return `corrupt later: ${after.corruptions.slice(0, 3).join("; ")}`;
  }
  return after.leaks > leaks ? `${after.leaks - leaks} clusters more are leaked` : undefined;
}
