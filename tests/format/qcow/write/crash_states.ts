/**
 * What may be left of an image when a crash comes, and whether that is as it has to be.
 *
 * - The daemon is killed: what has been written is there, the last write perhaps only in part.
 * - The power fails: what was written before a sync that has ended is there; of the rest, any part.
 *
 * @module
 */
import { sameBytes } from "../../opened_image.ts";
import type { DoneOp } from "./crash_run.ts";
import type { Random } from "./random_ops.ts";
import { FileState, type Recording } from "./recording.ts";

const SECTOR_BYTES = 512;
/** Powers fail so often at one point. */
const POWER_FAILURES = 3;

/** What is left after a crash: the content of each file. */
export interface CrashState {
  readonly what: string;
  /** How many steps had been made: some and a half if one was being made. */
  readonly at: number;
  readonly files: readonly FileState[];
}

/** All states after kills, and some of those after power failures; `share` of them. */
export function* crashStates(
  recording: Recording,
  originals: readonly Uint8Array[],
  { random, share }: { readonly random: Random; readonly share: number },
): Generator<CrashState> {
  const whole = originals.map((bytes) => new FileState(bytes));
  const durable = new DurableState(recording, originals);
  const isChosen = (): boolean => random.below(1000) < share * 1000;
  for (let at = 0; at <= recording.steps.length; at++) {
    durable.advanceTo(at);
    if (isChosen()) yield { what: "killed", at, files: whole };
    for (let n = 0; n < POWER_FAILURES; n++) {
      if (isChosen()) yield { what: "power failed", at, files: durable.withSome(at, random) };
    }
    const step = recording.steps[at];
    if (step === undefined) return;
    if (step.kind === "write" && step.bytes.length > SECTOR_BYTES && isChosen()) {
      const torn = whole.map((state) => state.copy());
      torn[step.file]?.apply(step, 1 + random.below(step.bytes.length / SECTOR_BYTES - 1));
      yield { what: "killed while writing", at: at + 0.5, files: torn };
    }
    whole[step.file]?.apply(step);
  }
}

/** What is certain to be on the disk. */
class DurableState {
  readonly #recording: Recording;
  readonly #files: FileState[];
  /** All steps before it are in it. */
  #applied = 0;
  /** For each file, how many steps its last sync covers. */
  readonly #synced: number[];

  constructor(recording: Recording, originals: readonly Uint8Array[]) {
    this.#recording = recording;
    this.#files = originals.map((bytes) => new FileState(bytes));
    this.#synced = originals.map(() => 0);
  }

  /** `at` steps have been made. */
  advanceTo(at: number): void {
    for (const { file, began, ended } of this.#recording.syncs) {
      if (ended <= at) this.#synced[file] = Math.max(this.#synced[file] ?? 0, began);
    }
    for (const end = Math.min(...this.#synced); this.#applied < end; this.#applied++) {
      const step = this.#recording.steps[this.#applied];
      if (step !== undefined) this.#files[step.file]?.apply(step);
    }
  }

  /** With some of the other steps that have been made. */
  withSome(at: number, random: Random): FileState[] {
    const files = this.#files.map((state) => state.copy());
    const odds = random.oneOf([0, 1, 5, 9, 10]);
    for (let index = this.#applied; index < at; index++) {
      const step = this.#recording.steps[index];
      if (step === undefined) continue;
      const isCertain = index < (this.#synced[step.file] ?? 0);
      if (isCertain || random.below(10) < odds) files[step.file]?.apply(step);
    }
    return files;
  }
}

/** Which changes each sector of a disk has seen, and whether a content is one that they can leave. */
export class AllowedContents {
  readonly #original: Uint8Array;
  readonly #done: readonly DoneOp[];
  /** Changes by sector, in their order. */
  readonly #touches: number[][];

  constructor(original: Uint8Array, done: readonly DoneOp[]) {
    this.#original = original;
    this.#done = done;
    this.#touches = Array.from({ length: original.length / SECTOR_BYTES }, () => []);
    for (const [index, { op }] of done.entries()) {
      if (op.kind === "flush" || op.kind === "grow") continue;
      const length = op.kind === "write" ? op.bytes.length : op.length;
      const first = op.offset / SECTOR_BYTES;
      for (let n = 0; n < length / SECTOR_BYTES; n++) this.#touches[first + n]?.push(index);
    }
  }

  /** Sectors that have what they cannot have, when `at` steps have been made. */
  wrongSectors(disk: Uint8Array, at: number): number[] {
    const wrong: number[] = [];
    for (const sector of this.#touches.keys()) {
      if (!this.#isAllowed(disk, sector, at)) wrong.push(sector);
    }
    return wrong;
  }

  /** Whether some sector lacks what had been acknowledged: a kill should not do that. */
  hasLost(disk: Uint8Array, at: number): boolean {
    for (const [sector, touches] of this.#touches.entries()) {
      const last = touches.findLast((index) => (this.#done[index]?.began ?? 0) < at);
      if (last === undefined || (this.#done[last]?.ended ?? 0) > at) continue;
      if (!this.#isBy(last, sectorOf(disk, sector), sector)) return true;
    }
    return false;
  }

  #isAllowed(disk: Uint8Array, sector: number, at: number): boolean {
    const found = sectorOf(disk, sector);
    const touches = this.#touches[sector] ?? [];
    for (let n = touches.length - 1; n >= 0; n--) {
      const index = touches[n] ?? 0;
      const done = this.#done[index];
      if (done === undefined || done.began > at) continue;
      if (this.#isBy(index, found, sector)) return true;
      if (done.durable <= at && done.op.kind !== "discard") return false;
    }
    return sameBytes(found, sectorOf(this.#original, sector));
  }

  #isBy(index: number, found: Uint8Array, sector: number): boolean {
    const op = this.#done[index]?.op;
    if (op?.kind !== "write") return found.every((byte) => byte === 0);
    const start = sector * SECTOR_BYTES - op.offset;
    return sameBytes(found, op.bytes.subarray(start, start + SECTOR_BYTES));
  }
}

function sectorOf(bytes: Uint8Array, sector: number): Uint8Array {
  return bytes.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
}
