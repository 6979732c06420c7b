/**
 * Whether the states that crashes leave an image in are valid.
 *
 * @module
 */
import { openImage } from "../../../../src/disk/open.ts";
import { ImageFile } from "../../../../src/storage/image_file.ts";
import { O_RDONLY, openFile } from "../../../../src/sys/files.ts";
import { readDisk } from "../../../support/disk.ts";
import { checkImage } from "./checker.ts";
import type { DoneOp } from "./crash_run.ts";
import type { Recording } from "./recording.ts";
import { AllowedContents, type CrashState, crashStates } from "./crash_states.ts";
import type { Original } from "./originals.ts";
import { faultByQemu } from "./qemu_judge.ts";
import { Random, stampedBytes } from "./random_ops.ts";
import { WritableDisk } from "./writable_disk.ts";

/** So many clusters may be reserved behind the end that a file has after a power failure. */
const RESERVED = 8192;

/** What has been found in the states of one run. */
export interface Verdict {
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
  const paths = [original.path, ...original.dataPath === undefined ? [] : [original.dataPath]];
  return {
    files: paths.map((path) => Deno.readFileSync(path)),
    disk: readWhole(original, sizeBytes).bytes,
  };
}

/** The disk: as it is, with zeros behind its end up to `sizeBytes`. */
function readWhole({ path, keys }: Original, sizeBytes = 0): Disk {
  const file = new ImageFile(openFile(path, O_RDONLY), path);
  const request = {
    format: "QCOW",
    readOnly: true,
    offsetBytes: 0,
    sizeLimitBytes: 0,
    backingFormat: "RAW",
  };
  using access = openImage(file, request, keys === undefined ? {} : { keys });
  const padded = new Uint8Array(Math.max(access.sizeBytes, sizeBytes));
  padded.set(readDisk(access, 0, access.sizeBytes));
  return { bytes: padded, sizeBytes: access.sizeBytes };
}

interface Disk {
  readonly bytes: Uint8Array;
  readonly sizeBytes: number;
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
  { share, qemuEvery, reopenEvery }: Thoroughness,
): Promise<Verdict> {
  const random = new Random(recorded.done.length + 7);
  const allowed = new AllowedContents(before.disk, recorded.done);
  const faults: string[] = [];
  let [states, forgetful, kills] = [0, 0, 0];
  for (const state of crashStates(recorded.recording, before.files, { random, share })) {
    states++;
    putFiles(original, state.files.map(({ bytes }) => bytes));
    const found = lookAt(original, state, {
      allowed,
      sizes: allowedSizes(original, recorded.done, state.at),
      sizeBytes: before.disk.length,
    });
    if (state.what !== "power failed") kills++;
    if (found.lost) forgetful++;
    if (found.fault === undefined && states % qemuEvery === 0) {
      found.fault = await faultByQemu(original);
    }
    if (found.fault === undefined && states % reopenEvery === 0) {
      found.fault = goOnWith(original, random);
    }
    if (found.fault !== undefined) faults.push(`${state.what} at ${state.at}: ${found.fault}`);
  }
  putFiles(original, before.files);
  return { states, faults, forgetful, kills };
}

function putFiles({ path, dataPath }: Original, [image, data]: readonly Uint8Array[]): void {
  if (image !== undefined) Deno.writeFileSync(path, image);
  if (data !== undefined && dataPath !== undefined) Deno.writeFileSync(dataPath, data);
}

/** What an image may be. */
interface Allowed {
  readonly allowed: AllowedContents;
  readonly sizes: readonly number[];
  /** The largest of all. */
  readonly sizeBytes: number;
}

function lookAt(
  original: Original,
  { what, at, files }: CrashState,
  { allowed, sizes, sizeBytes }: Allowed,
): { fault: string | undefined; lost: boolean } {
  const bytes = files[0]?.bytes ?? new Uint8Array(0);
  const { corruptions } = checkImage(bytes);
  if (corruptions.length > 0) {
    return { fault: `corrupt: ${corruptions.slice(0, 3).join("; ")}`, lost: false };
  }
  try {
    const { bytes: disk, sizeBytes: found } = readWhole(original, sizeBytes);
    if (!sizes.includes(found)) return { fault: `a disk of ${found} bytes`, lost: false };
    const wrong = allowed.wrongSectors(disk, at);
    const fault = wrong.length > 0
      ? `sectors have what they cannot have: ${wrong.slice(0, 5)}`
      : undefined;
    return { fault, lost: what !== "power failed" && allowed.hasLost(disk, at) };
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
