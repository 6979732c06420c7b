/**
 * What may be left of an image when a crash comes, and whether that is as it has to be.
 *
 * - The daemon is killed: what has been written is there, the last write perhaps only in part.
 * - The power fails: what was written before a sync that has ended is there; of the rest, any part.
 *
 * @module
 */
import type { FileContent } from "./file_content.ts";
import type { Random } from "./random_ops.ts";
import type { Recording } from "./recording.ts";

const SECTOR_BYTES = 512;
/** Powers fail so often at one point. */
const POWER_FAILURES = 3;
/** Before the end of a sync, all has been done that it covers, and none of that is certain. */
const SYNCING = 0.25;

/** What is left after a crash: the content of each file, until the next one is asked for. */
export interface CrashState {
  readonly what: string;
  /**
   * How many steps had been made: some and a half if one was being made, a quarter less than some if that
   * was during a sync after which there were no more.
   */
  readonly at: number;
  readonly files: readonly FileContent[];
}

/** All states after kills, and some of those after power failures; `share` of them. */
export function* crashStates(
  recording: Recording,
  files: readonly FileContent[],
  { random, share }: { readonly random: Random; readonly share: number },
): Generator<CrashState> {
  const crashed = new CrashedFiles(recording, files);
  const isChosen = (): boolean => random.below(1000) < share * 1000;
  const ends = new Set(recording.syncs.map(({ ended }) => ended));
  for (let at = 0; at <= recording.steps.length; at++) {
    for (let n = 0; n < POWER_FAILURES && ends.has(at); n++) {
      if (!isChosen()) continue;
      crashed.failPower(at - SYNCING, random);
      yield { what: "power failed", at: at - SYNCING, files };
    }
    if (isChosen()) {
      crashed.kill(at);
      yield { what: "killed", at, files };
    }
    for (let n = 0; n < POWER_FAILURES; n++) {
      if (!isChosen()) continue;
      crashed.failPower(at, random);
      yield { what: "power failed", at, files };
    }
    const step = recording.steps[at];
    if (step?.kind !== "write" || step.bytes.length <= SECTOR_BYTES || !isChosen()) continue;
    crashed.kill(at);
    files[step.file]?.apply(step, 1 + random.below(step.bytes.length / SECTOR_BYTES - 1));
    yield { what: "killed while writing", at: at + 0.5, files };
  }
}

/** Files with what is certain to be on the disk, and more. */
class CrashedFiles {
  readonly #recording: Recording;
  readonly #files: readonly FileContent[];
  /** All steps before it are certain. */
  #applied = 0;
  /** For each file, how many steps its last sync covers. */
  readonly #synced: number[];

  constructor(recording: Recording, files: readonly FileContent[]) {
    this.#recording = recording;
    this.#files = files;
    this.#synced = files.map(() => 0);
  }

  /** All that had been done when `at` steps had been made is there. */
  kill(at: number): void {
    this.#advanceTo(at);
    for (let index = this.#applied; index < at; index++) this.#apply(index);
  }

  /** What had been synced then is there, and some of the rest. */
  failPower(at: number, random: Random): void {
    this.#advanceTo(at);
    const odds = random.oneOf([0, 1, 5, 9, 10]);
    for (let index = this.#applied; index < at; index++) {
      const file = this.#recording.steps[index]?.file ?? 0;
      const isCertain = index < (this.#synced[file] ?? 0);
      if (isCertain || random.below(10) < odds) this.#apply(index);
    }
  }

  /** Only what is certain is there. */
  #advanceTo(at: number): void {
    for (const file of this.#files) file.reset();
    for (const { file, began, ended } of this.#recording.syncs) {
      if (ended <= at) this.#synced[file] = Math.max(this.#synced[file] ?? 0, began);
    }
    for (const end = Math.min(...this.#synced); this.#applied < end; this.#applied++) {
      this.#apply(this.#applied);
    }
    for (const file of this.#files) file.settle();
  }

  #apply(index: number): void {
    const step = this.#recording.steps[index];
    if (step !== undefined) this.#files[step.file]?.apply(step);
  }
}
