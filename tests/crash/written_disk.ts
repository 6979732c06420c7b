/**
 * What a disk may hold that is being written to, by what has been said of each change: as it is served,
 * and after a crash of what serves it.
 *
 * No two changes of a sector are under way at once; flushes, and changes of its neighbours, are.
 *
 * @module
 */
import { sameBytes } from "../format/opened_image.ts";
import { AllowedContents } from "../format/qcow/write/allowed_contents.ts";
import type { DoneOp } from "../format/qcow/write/crash_run.ts";
import type { Op } from "../format/qcow/write/random_ops.ts";

/** After everything that has happened. */
const NOW = Number.MAX_SAFE_INTEGER;
const SECTOR_BYTES = 512;

/** A change that has been asked for; times are numbers of events. */
export class AskedChange implements DoneOp {
  /** When it was answered. */
  ended = Infinity;
  /** Since when it outlives a crash. */
  durable = Infinity;
  /** Milliseconds: when it was answered. */
  endedMs = Infinity;

  constructor(readonly op: Exclude<Op, { kind: "flush" }>, readonly began: number) {}

  get length(): number {
    return this.op.kind === "write" ? this.op.bytes.length : this.op.length;
  }

  touches(offset: number, length: number): boolean {
    return offset < this.op.offset + this.length && this.op.offset < offset + length;
  }
}

export interface DiskOptions {
  /** What it holds at first. */
  readonly content: Uint8Array;
  /** Whether each change outlives a crash as soon as it is answered. */
  readonly keepsAnswered: boolean;
}

export class WrittenDisk {
  readonly #content: Uint8Array;
  readonly #keepsAnswered: boolean;
  readonly #changes: AskedChange[] = [];
  readonly #underWay = new Set<AskedChange>();
  #now = 0;

  constructor({ content, keepsAnswered }: DiskOptions) {
    this.#content = content;
    this.#keepsAnswered = keepsAnswered;
  }

  get sizeBytes(): number {
    return this.#content.length;
  }

  /** How many changes have been answered. */
  get answered(): number {
    return this.#changes.filter(({ ended }) => ended !== Infinity).length;
  }

  /** Whether a change of the range is under way. */
  isBusy(offset: number, length: number): boolean {
    for (const change of this.#underWay) if (change.touches(offset, length)) return true;
    return false;
  }

  begin(op: Exclude<Op, { kind: "flush" }>): AskedChange {
    const change = new AskedChange(op, this.#now++);
    this.#changes.push(change);
    this.#underWay.add(change);
    return change;
  }

  /** @param isDurable whether that was asked for */
  end(change: AskedChange, isDurable: boolean): void {
    this.#underWay.delete(change);
    change.ended = this.#now++;
    change.endedMs = performance.now();
    if (isDurable || this.#keepsAnswered) change.durable = change.ended;
  }

  /** The answer was an error: each sector is as it was, or as it was to be. */
  fail(change: AskedChange): void {
    this.#underWay.delete(change);
  }

  /** A flush is about to be asked for; what this returns is called when it has succeeded. */
  beginFlush(): () => void {
    const covered = this.#changes.filter(({ ended }) => ended !== Infinity);
    return () => {
      const now = this.#now++;
      for (const change of covered) change.durable = Math.min(change.durable, now);
    };
  }

  /** All that has been answered outlives what comes now. */
  concluded(): void {
    this.beginFlush()();
  }

  /** Sectors that have what they cannot have after a crash. */
  wrongAfterCrash(found: Uint8Array): number[] {
    return new AllowedContents(this.#content, this.#changes).wrongSectors(found, NOW);
  }

  /** Sectors that have what they cannot have while the disk is served. */
  wrongWhileServed(found: Uint8Array): number[] {
    const seen = this.#changes.map(({ op, began, ended }) => ({
      op,
      began,
      ended,
      durable: ended,
    }));
    return new AllowedContents(this.#content, seen).wrongSectors(found, NOW);
  }

  /** What a sector has, and which changes it has seen, for who has to find out what went wrong. */
  tell(sector: number, found: Uint8Array): string {
    const at = sector * SECTOR_BYTES;
    const has = [...found.subarray(at, at + 8)].map((byte) => byte.toString(16)).join(" ");
    const seen = this.#changes.filter((change) => change.touches(at, SECTOR_BYTES));
    const lines = seen.map(({ op, began, ended, durable, length }) =>
      `${op.kind} of ${op.offset} + ${length}: ${began}, ${ended}, ${durable}` + stampOf(op)
    );
    return `sector ${sector} has ${has} after ${lines.slice(-6).join("; ")}`;
  }

  /** The writes that had been answered and of which something is missing that nothing has replaced. */
  lost(found: Uint8Array): ReadonlySet<AskedChange> {
    const last: (AskedChange | undefined)[] = [];
    for (const change of this.#changes) {
      const first = change.op.offset / SECTOR_BYTES;
      last.length = Math.max(last.length, first + change.length / SECTOR_BYTES);
      last.fill(change, first, first + change.length / SECTOR_BYTES);
    }
    const lost = new Set<AskedChange>();
    for (const [sector, change] of last.entries()) {
      if (change?.op.kind !== "write" || change.ended === Infinity) continue;
      const at = sector * SECTOR_BYTES;
      const written = change.op.bytes.subarray(at - change.op.offset).subarray(0, SECTOR_BYTES);
      if (!sameBytes(found.subarray(at, at + SECTOR_BYTES), written)) lost.add(change);
    }
    return lost;
  }
}

/** What the first bytes of a write say. */
function stampOf(op: Op): string {
  if (op.kind !== "write") return "";
  return ` (${[...op.bytes.subarray(0, 4)].map((byte) => byte.toString(16)).join(" ")})`;
}
