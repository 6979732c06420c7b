/**
 * Random changes of an image, all of them recorded: what its files went through, and what was said when.
 *
 * Flushes take their time, as they do in a daemon: while a sync is under way, other changes are made.
 *
 * @module
 */
import { Change, ChangeKind } from "../../../../src/disk/change.ts";
import type { ChangeJournal, KeptChanges } from "../../../../src/disk/change_journal.ts";
import type { Scope, SyncRound } from "../../../../src/disk/sync_round.ts";
import { UpdateRound } from "../../../../src/disk/update_round.ts";
import { type Level, LEVELS, Updates } from "../../../../src/image/updates.ts";
import type { Writing } from "../../../../src/image/writing.ts";
import type { ImageFile } from "../../../../src/storage/image_file.ts";
import type { KeyRing } from "../../../../src/image/key_ring.ts";
import type { Original } from "./originals.ts";
import {
  type Op,
  type OpLimits,
  Random,
  randomOp,
  type ScriptedOp,
  severalUnits,
} from "./random_ops.ts";
import { Recording } from "./recording.ts";
import { type DiskOptions, WritableDisk } from "./writable_disk.ts";

/** A change, and between which steps it was made. */
export interface DoneOp {
  readonly op: ScriptedOp;
  readonly began: number;
  readonly ended: number;
  /** After how many steps a flush had succeeded that began after it; Infinity for never. */
  durable: number;
}

/** A way to do it wrong: each has to be found. */
export type Sabotage =
  | "levels are not synced apart"
  | "levels go backwards"
  | "counts are not written"
  | "the last level is not synced"
  | "what is dropped is free at once"
  | "only data are synced"
  | "all changes count as recorded";

export const SABOTAGES: readonly Sabotage[] = [
  "levels are not synced apart",
  "levels go backwards",
  "counts are not written",
  "the last level is not synced",
  "what is dropped is free at once",
  "only data are synced",
  "all changes count as recorded",
];
const SCOPES = ["everything", "what is written"] as const;

/** What a run is like. */
export interface RunOptions {
  readonly seed: number;
  readonly ops: number;
  readonly keys: KeyRing | undefined;
  readonly sabotage?: Sabotage;
  readonly request?: DiskOptions["request"];
  readonly limits?: Partial<OpLimits>;
  /** Whether files keep their size, as block devices do. */
  readonly keepSize?: boolean;
  /** What outlives a kill of its changes, and is recorded, too. */
  readonly kept?: KeptChanges;
  /** Has the journal of changes do something wrong. */
  readonly spoil?: (journal: ChangeJournal) => void;
}

/** A disk that has no room for its tables without a flush makes one that is recorded, too. */
class RecordedDisk extends WritableDisk {
  readonly #flush: () => void;

  constructor(path: string, options: DiskOptions, flush: () => void) {
    super(path, options);
    this.#flush = flush;
  }

  override flush(): boolean {
    this.#flush();
    while (this.access.freeSome());
    return true;
  }
}

export class CrashRun {
  readonly recording = new Recording();
  readonly done: DoneOp[] = [];
  readonly #disk: WritableDisk;
  readonly #limits: Partial<OpLimits>;
  readonly #random: Random;
  readonly #round: SyncRound;
  readonly #sabotage: Sabotage | undefined;
  /** What ends the sync that is under way, and the changes the round covers. */
  #endSync: (() => void) | undefined;
  #covered: readonly DoneOp[] = [];

  constructor({ path, dataPath, backingPath }: Original, options: RunOptions) {
    const { seed, keys, sabotage, request, limits = {}, keepSize, kept } = options;
    this.#random = new Random(seed);
    this.#sabotage = sabotage;
    this.#limits = limits;
    const file = this.recording.open(path);
    if (keepSize) Object.defineProperty(file, "canGrow", { value: false });
    const opened = {
      file,
      ...(keys === undefined ? {} : { keys }),
      ...(request === undefined ? {} : { request }),
      ...(kept === undefined ? {} : { kept }),
      ...(dataPath === undefined ? {} : { dataFile: this.recording.open(dataPath) }),
      ...(dataPath === undefined || backingPath === undefined ? {} : { backingPath }),
    };
    this.#disk = new RecordedDisk(path, opened, () => this.#flushAll());
    const { image: { writing }, kept: known } = this.#disk.access;
    if (writing === undefined) throw new Error("not opened for writing");
    if (kept !== undefined) this.recording.watch(kept.memory.bytes);
    if (known !== undefined) options.spoil?.(known.journal);
    this.#round = sabotage === undefined || sabotage === "all changes count as recorded"
      ? new UpdateRound(writing, known?.journal)
      : new SabotagedRound(writing, sabotage, known?.journal);
  }

  /** Makes all changes, and leaves the disk as a daemon does that ends in order, or as one that is killed. */
  run(ops: number, ending: "closed" | "killed"): void {
    const { unitBytes = 512 } = this.#disk.access.image.writing?.tables ?? {};
    const { sizeBytes } = this.#disk;
    const mostBytes = severalUnits(unitBytes);
    const limits = { sizeBytes, mostBytes, unitBytes, ...this.#limits };
    for (let id = 1; id <= ops; id++) {
      const op = randomOp(this.#random, limits, id);
      if (op.kind === "flush") this.#beginRound(this.#random.oneOf(SCOPES));
      else this.#make(op);
      if (this.#endSync !== undefined && this.#random.below(3) === 0) this.#goOn();
      if (this.#random.below(4) === 0) this.#disk.access.freeSome();
    }
    while (this.#endSync !== undefined) this.#goOn();
    if (ending === "closed") this.#close();
    else this.#disk[Symbol.dispose]();
  }

  #make(op: Op): void {
    const began = this.recording.steps.length;
    // A flush for want of room would be one that the record knows nothing of.
    if (this.#disk.access.wantsFlush) this.#finishRound();
    this.#disk.apply(op);
    this.recording.look();
    this.done.push({ op, began, ended: this.recording.steps.length, durable: Infinity });
  }

  #finishRound(): void {
    this.#beginRound("everything");
    while (this.#endSync !== undefined) this.#goOn();
  }

  /** The round that is under way does not cover all that there is now. */
  #flushAll(): void {
    while (this.#endSync !== undefined) this.#goOn();
    this.#finishRound();
  }

  #beginRound(scope: Scope): void {
    if (this.#endSync !== undefined) return;
    const isCovered = ({ op }: DoneOp): boolean =>
      scope === "everything" || this.#isRecorded(op) ||
      this.#sabotage === "all changes count as recorded";
    this.#covered = this.done.filter(isCovered);
    this.#round.begin(scope);
    this.#next();
  }

  /** Whether a write that has to be durable when it is answered needs no more than a sync. */
  #isRecorded(op: ScriptedOp): boolean {
    if (op.kind === "flush" || op.kind === "grow" || op.kind === "snapshot") return false;
    const lengthBytes = op.kind === "write" ? op.bytes.length : op.length;
    const change = new Change().ask(ChangeKind.Write, op.offset, lengthBytes);
    return this.#disk.access.isRecorded(change);
  }

  #next(): void {
    const files = this.#round.next();
    if (files.length > 0) {
      this.#endSync = this.recording.beginSync(files);
      return;
    }
    this.#round.end("durable");
    this.recording.look();
    const now = this.recording.steps.length;
    for (const done of this.#covered) done.durable = Math.min(done.durable, now);
  }

  #goOn(): void {
    const end = this.#endSync;
    this.#endSync = undefined;
    end?.();
    this.#next();
  }

  #close(): void {
    if (this.#sabotage !== undefined) return this.#disk[Symbol.dispose]();
    if (!this.#disk.close()) throw new Error("not closed in order");
    const now = this.recording.steps.length;
    for (const done of this.done) done.durable = Math.min(done.durable, now);
  }
}

const NOTHING: readonly ImageFile[] = [];

/** A round in which something is wrong. */
class SabotagedRound implements SyncRound {
  readonly isOver = false;
  readonly #writing: Writing;
  readonly #sabotage: Sabotage;
  readonly #journal: ChangeJournal | undefined;
  readonly #updates = new Updates();
  #level = 0;

  constructor(writing: Writing, sabotage: Sabotage, journal?: ChangeJournal) {
    this.#writing = writing;
    this.#sabotage = sabotage;
    this.#journal = journal;
  }

  begin(): void {
    this.#level = 0;
    const { tables } = this.#writing;
    tables?.takeUpdates(this.#updates);
    this.#journal?.begin(true);
    if (this.#sabotage !== "what is dropped is free at once") return;
    tables?.updated(true);
    while (tables?.freeSome());
  }

  next(): readonly ImageFile[] {
    const { files } = this.#writing;
    if (this.#level === LEVELS) return NOTHING;
    switch (this.#sabotage) {
      case "levels are not synced apart":
        while (this.#level < LEVELS) this.#write(this.#level++);
        return files;
      case "levels go backwards":
        this.#write(LEVELS - 1 - this.#level++);
        return files;
      case "counts are not written":
        if (this.#level > 0) this.#write(this.#level);
        this.#level++;
        return files;
      case "the last level is not synced":
        this.#write(this.#level++);
        return this.#level === LEVELS ? NOTHING : files;
      case "only data are synced":
        this.#level = LEVELS;
        return files;
      default:
        this.#write(this.#level++);
        return files;
    }
  }

  #write(level: number): void {
    this.#updates.write(level as Level);
  }

  end(): void {
    this.#journal?.end();
    if (this.#sabotage !== "what is dropped is free at once") this.#writing.tables?.updated(true);
    this.#updates.clear();
  }
}
