/**
 * Random changes of an image while calls fail, made and flushed as a daemon does it: what it says of each
 * change has to be so, then and later.
 *
 * @module
 */
import { FlushQueue } from "../../../../src/loop/flush_queue.ts";
import { SharedState } from "../../../../src/loop/shared_state.ts";
import type { ImageFile } from "../../../../src/storage/image_file.ts";
import type { SlowTask } from "../../../../src/storage/slow_lane.ts";
import { EIO, SystemError } from "../../../../src/sys/errno.ts";
import { sameBytes } from "../../opened_image.ts";
import type { DoneOp } from "./crash_run.ts";
import type { Original } from "./originals.ts";
import { type Op, Random, randomOp } from "./random_ops.ts";
import { type FallibleCall, Recording } from "./recording.ts";
import { WritableDisk } from "./writable_disk.ts";

const SECTOR_BYTES = 512;

/** Which calls fail, by their numbers from 0 on, and how. */
export interface Faults {
  readonly first: number;
  readonly count: number;
  readonly errno: number;
  /** Of the calls from the first one on, only one of so many fails, at random: if given. */
  readonly oneOf?: number;
  /** Whether writes tell of earlier ones, as on NFS. */
  readonly isNfs?: boolean;
}

/** A sync under way. */
interface Syncing {
  readonly file: ImageFile;
  readonly task: SlowTask;
  readonly began: number;
}

export class FaultRun {
  readonly recording = new Recording();
  readonly done: DoneOp[] = [];
  /** Those that failed: what was there before stays allowed. */
  readonly #halfDone = new Set<number>();
  /** What the disk has to be. */
  readonly model: Uint8Array;
  /** How many calls have been made. */
  calls = 0;
  /** The first call that failed. */
  failed: FallibleCall | undefined;
  readonly #disk: WritableDisk;
  readonly #random: Random;
  readonly #luck: Random;
  readonly #faults: Faults;
  readonly #queue: FlushQueue;
  readonly #syncs: Syncing[] = [];
  /** How many steps there were when it was known first that something was lost. */
  #stepsWhenLost: number | undefined;
  #failures = 0;
  /** Whether what is read is read for a change, and not by this test. */
  #isChanging = false;

  constructor({ path, dataPath, backingPath, keys }: Original, seed: number, faults: Faults) {
    this.#random = new Random(seed);
    this.#luck = new Random(seed + 1);
    this.#faults = faults;
    const files = [path, ...dataPath === undefined ? [] : [dataPath]]
      .map((name) => this.recording.open(name));
    if (faults.isNfs) {
      for (const file of files) {
        Object.defineProperty(file, "tellsWritesOfEarlierOnes", { value: true });
      }
    }
    const [file, dataFile] = files;
    this.#disk = new WritableDisk(path, {
      ...(file === undefined ? {} : { file }),
      ...(dataFile === undefined ? {} : { dataFile }),
      ...(dataFile === undefined || backingPath === undefined ? {} : { backingPath }),
      ...(keys === undefined ? {} : { keys }),
    });
    this.model = this.#disk.read(0, this.#disk.sizeBytes).slice();
    this.#queue = this.#flushQueue();
    this.recording.fault = (call) => this.#fault(call);
  }

  #flushQueue(): FlushQueue {
    const { round } = this.#disk.access;
    if (round === undefined) throw new Error("not opened for writing");
    const sync = (file: ImageFile, task: SlowTask): void => {
      this.#syncs.push({ file, task, began: this.recording.steps.length });
    };
    return new FlushQueue(round, {
      lane: { sync: (file, task) => sync(file as ImageFile, task) },
      shared: new SharedState(),
      thread: 0,
      wake: () => {},
      onFailure: () => {},
    });
  }

  #fault(call: FallibleCall): number {
    if (call === "pread" && !this.#isChanging) return 0;
    const { first, count, errno, oneOf = 1 } = this.#faults;
    const number = this.calls++;
    if (number < first || number >= first + count || this.#luck.below(oneOf) > 0) return 0;
    // Such a loss would be the end of it.
    if (oneOf > 1 && (call === "pread" || call === "fdatasync")) return 0;
    this.failed ??= call;
    this.#failures++;
    return errno;
  }

  get isLost(): boolean {
    return this.#disk.access.hasLost;
  }

  /** Makes all changes, and has the disk closed; whether that was in order. */
  run(ops: number): boolean {
    const { unitBytes = SECTOR_BYTES } = this.#disk.access.image.writing?.tables ?? {};
    const limits = { sizeBytes: this.#disk.sizeBytes, mostBytes: 64 * 1024, unitBytes };
    for (let id = 1; id <= ops; id++) {
      const op = randomOp(this.#random, limits, id);
      if (op.kind === "flush") this.#flush();
      else this.#change(op);
      if (this.#random.below(3) === 0) this.#endSync();
      if (this.#random.below(4) === 0) this.#freeSome();
      this.#look();
    }
    this.#finishSyncs();
    this.#check("the disk", 0, this.#disk.sizeBytes);
    const isSaved = this.#close();
    this.#look();
    return isSaved;
  }

  #look(): void {
    if (this.isLost) this.#stepsWhenLost ??= this.recording.steps.length;
    if (this.#stepsWhenLost === undefined) return;
    const more = this.recording.steps.length - this.#stepsWhenLost;
    if (more > 0) throw new Error(`${more} steps after something was lost`);
  }

  #change(op: Exclude<Op, { kind: "flush" }>): void {
    if (this.#disk.access.wantsFlush) this.#finishSyncs();
    const [began, failures, wasLost] = [this.recording.steps.length, this.#failures, this.isLost];
    let error: unknown;
    try {
      this.#isChanging = true;
      this.#disk.apply(op);
    } catch (caught) {
      if (!(caught instanceof SystemError)) throw caught;
      error = caught;
    } finally {
      this.#isChanging = false;
    }
    const isRefused = error instanceof SystemError && error.errno === EIO;
    // To discard less than a unit is no change.
    if (wasLost && !isRefused && (error !== undefined || op.kind !== "discard")) {
      throw new Error(`a ${op.kind} after a loss came to ${error}`);
    }
    if (error !== undefined && failures === this.#failures && !this.isLost) throw error;
    this.#see(op, error !== undefined);
    if (wasLost) return;
    const ended = this.recording.steps.length;
    this.done.push({ op, began, ended, durable: Infinity });
    if (error !== undefined) this.#halfDone.add(this.done.length - 1);
  }

  /** What a change has made of its sectors: after one that failed, each of them is old or new. */
  #see(op: Exclude<Op, { kind: "flush" }>, hasFailed: boolean): void {
    const { offset } = op;
    const wanted = op.kind === "write" ? op.bytes : new Uint8Array(op.length);
    const isFree = hasFailed || op.kind === "discard";
    if (!isFree) this.model.set(wanted, offset);
    else {
      const found = this.#disk.read(offset, wanted.length);
      for (let at = 0; at < found.length; at += SECTOR_BYTES) {
        const sector = found.subarray(at, at + SECTOR_BYTES);
        if (!sameBytes(sector, wanted.subarray(at, at + SECTOR_BYTES))) continue;
        this.model.set(sector, offset + at);
      }
    }
    this.#check(op.kind, offset, wanted.length);
  }

  #check(what: string, offset: number, lengthBytes: number): void {
    const found = this.#disk.read(offset, lengthBytes);
    const wanted = this.model.subarray(offset, offset + lengthBytes);
    if (sameBytes(found, wanted)) return;
    const at = found.findIndex((byte, index) => byte !== wanted[index]);
    throw new Error(`${what}: wrong from ${offset + at} on`);
  }

  #flush(): void {
    const [covered, failures] = [this.done.length, this.#failures];
    this.#queue.add({
      finished: (errno) => {
        const mayFail = failures !== this.#failures || this.isLost;
        if (errno !== 0 && !mayFail) throw new Error(`a flush failed: ${errno}`);
        if (errno === 0 && this.isLost) throw new Error("a flush succeeded after a loss");
        if (errno === 0) this.#durable(covered);
      },
    });
    this.#queue.reap();
  }

  #durable(covered: number): void {
    const now = this.recording.steps.length;
    for (const [index, op] of this.done.slice(0, covered).entries()) {
      if (!this.#halfDone.has(index)) op.durable = Math.min(op.durable, now);
    }
  }

  #endSync(): void {
    const sync = this.#syncs.shift();
    if (sync === undefined) return;
    sync.task.finished(this.recording.endSync(sync.file, sync.began));
    this.#queue.reap();
  }

  #finishSyncs(): void {
    this.#flush();
    while (this.#queue.busy) {
      this.#endSync();
      this.#queue.reap();
    }
  }

  #freeSome(): void {
    try {
      this.#isChanging = true;
      this.#disk.access.freeSome();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    } finally {
      this.#isChanging = false;
    }
  }

  #close(): boolean {
    const failures = this.#failures;
    const isSaved = this.#tryToClose(() => failures !== this.#failures);
    if (isSaved && this.isLost) throw new Error("closed in order after a loss");
    if (isSaved) this.#durable(this.done.length);
    return isSaved;
  }

  #tryToClose(mayFail: () => boolean): boolean {
    try {
      this.#isChanging = true;
      const isSaved = this.#disk.close();
      if (isSaved || this.isLost || mayFail()) return isSaved;
    } catch (error) {
      if (error instanceof SystemError && mayFail()) return false;
      throw error;
    }
    throw new Error("not closed in order");
  }
}
