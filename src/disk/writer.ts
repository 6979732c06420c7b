/**
 * Changing a disk, piece by piece: where each piece goes the driver says.
 *
 * @module
 */
import {
  Cleared,
  ClearOutcome,
  Place,
  Placement,
  type Tables,
  type Writing,
} from "../image/writing.ts";
import type { Attempt } from "../storage/attempt.ts";
import { zeroRange } from "../storage/zero_range.ts";
import { IoBuffer } from "../sys/memory.ts";
import { type Change, ChangeKind } from "./change.ts";
import type { ChangeJournal } from "./change_journal.ts";
import { ChangeStep } from "./change_step.ts";
import { type OldBytes, UnitWriter } from "./unit_writer.ts";

/** The zeros of a part of a unit are written in pieces of this size. */
const ZEROS_BYTES = 64 * 1024;

/** Changes one disk for one thread. */
export class Writer {
  readonly #writing: Writing;
  readonly #old: OldBytes;
  readonly #placement: Placement;
  readonly #units: UnitWriter;
  readonly #journal: ChangeJournal | undefined;
  #zeros: IoBuffer | undefined;

  /** @param journal remembers what is in no table on the disk yet */
  constructor(writing: Writing, old: OldBytes, journal?: ChangeJournal) {
    this.#writing = writing;
    this.#old = old;
    this.#journal = journal;
    this.#units = new UnitWriter(writing.tables, old, journal);
    this.#placement = new Placement(this.#units.attempt);
  }

  /** What came in the way of the last change that was blocked; whether the next one may wait. */
  get attempt(): Attempt {
    return this.#units.attempt;
  }

  /** Gives the memory back that is needed for changes alone. */
  releaseMemory(): void {
    this.#units.releaseMemory();
    this.#zeros = undefined;
  }

  /** Where what is left of a change begins: {@link Placement}, good until the next call. */
  place(change: Change, startBytes: number): Placement {
    const guestOffset = startBytes + change.offset + change.doneBytes;
    this.#placement.attempt.begin();
    this.#writing.place(guestOffset, change.restBytes, this.#placement);
    return this.#placement;
  }

  /**
   * Writes the next run of a change.
   *
   * @returns how many bytes of it that was, or {@link ChangeStep.Blocked}
   * @throws {SystemError} if the file cannot be written, ENOSPC among the reasons
   */
  write(change: Change, startBytes: number): number {
    if (this.#isBlocked()) return ChangeStep.Blocked;
    const { source, position, doneBytes } = change;
    const placement = this.place(change, startBytes);
    if (source === undefined) throw new Error("nothing to write");
    return this.#write(placement, source, position + doneBytes);
  }

  /** Whether so much is remembered that it has to become durable before anything else is changed. */
  #isBlocked(): boolean {
    if (this.#journal?.isFull !== true) return false;
    this.attempt.begin();
    this.attempt.wantsFlush = true;
    return true;
  }

  #write(placement: Placement, source: IoBuffer, position: number): number {
    const { kind, file, hostOffset, lengthBytes, cipher } = placement;
    if (kind === Place.Blocked) return ChangeStep.Blocked;
    if (kind === Place.Fresh || cipher !== undefined) {
      return this.#units.write(placement, source, position);
    }
    if (file === undefined) throw new Error("nowhere to write");
    file.write(source, position, hostOffset, lengthBytes);
    this.#journal?.wroteInPlace(lengthBytes);
    return lengthBytes;
  }

  /**
   * Writes zeros as the next run of a change, up to `mostBytes` of them.
   *
   * @returns as {@link Writer.write}
   * @throws as {@link Writer.write}
   */
  writeZeros(
    change: Change,
    startBytes: number,
    { zeros, mostBytes }: { readonly zeros: IoBuffer; readonly mostBytes: number },
  ): number {
    if (this.#isBlocked()) return ChangeStep.Blocked;
    const guestOffset = startBytes + change.offset + change.doneBytes;
    const lengthBytes = Math.min(change.restBytes, zeros.size, mostBytes);
    this.#placement.attempt.begin();
    this.#writing.place(guestOffset, lengthBytes, this.#placement);
    return this.#write(this.#placement, zeros, 0);
  }

  /**
   * Frees the next piece of a change, or makes it read as zeros, without writing them if possible.
   *
   * @param pieceBytes its most, a power of two; pieces end at multiples of it in the file
   * @returns how many bytes of it that was, or a {@link ChangeStep}
   * @throws {SystemError} as fallocate(2)
   */
  clear(change: Change, startBytes: number, pieceBytes: number): number {
    const { tables } = this.#writing;
    if (this.#isBlocked()) return ChangeStep.Blocked;
    if (tables !== undefined) return this.#clearUnits(change, startBytes, { tables, pieceBytes });
    const { file, hostOffset, lengthBytes, cipher } = this.place(change, startBytes);
    if (file === undefined) throw new Error("nowhere to clear");
    const end = Math.floor((hostOffset + pieceBytes) / pieceBytes) * pieceBytes;
    const count = Math.min(lengthBytes, end - hostOffset);
    const range = { hostOffset, lengthBytes: count };
    if (change.kind === ChangeKind.Discard) {
      if (cipher === undefined) zeroRange(file, "freed", range);
      return count;
    }
    if (cipher !== undefined) return ChangeStep.Unable;
    const punched = !change.keepAllocated && zeroRange(file, "freed", range);
    return punched || zeroRange(file, "kept", range) ? count : ChangeStep.Unable;
  }

  #clearUnits(
    change: Change,
    startBytes: number,
    { tables, pieceBytes }: { readonly tables: Tables; readonly pieceBytes: number },
  ): number {
    const guestOffset = startBytes + change.offset + change.doneBytes;
    const { restBytes } = change;
    const inUnit = guestOffset % tables.unitBytes;
    const toEnd = guestOffset + restBytes === this.#old.sizeBytes;
    const whole = toEnd ? restBytes : restBytes - restBytes % tables.unitBytes;
    if (inUnit > 0 || whole === 0) {
      return this.#clearPart(change, startBytes, tables.unitBytes - inUnit);
    }
    const most = Math.min(whole, Math.max(pieceBytes, tables.unitBytes));
    this.#placement.attempt.begin();
    const to = clearedBy(change);
    const count = tables.clear(guestOffset, most, to, this.#placement);
    if (count > 0 && this.#journal !== undefined) {
      recordCleared(this.#journal, this.#writing, this.#placement, { guestOffset, count, to });
    }
    if (count !== ClearOutcome.Unable) return count;
    return this.#clearPart(change, startBytes, tables.unitBytes);
  }

  /** Of a part of a unit, nothing can be said: what does not read as zeros has to be overwritten. */
  #clearPart(change: Change, startBytes: number, mostBytes: number): number {
    const most = Math.min(change.restBytes, mostBytes);
    if (change.kind === ChangeKind.Discard) return most;
    const zeros = this.#zeros ??= IoBuffer.ofPages(ZEROS_BYTES);
    const guestOffset = startBytes + change.offset + change.doneBytes;
    const placement = this.#placement;
    placement.attempt.begin();
    this.#writing.place(guestOffset, Math.min(most, zeros.size), placement);
    const { kind, readsAsZeros, lengthBytes } = placement;
    const needsNothing = kind === Place.Fresh && readsAsZeros &&
      this.#writing.isReadPlainly !== true;
    if (needsNothing) return lengthBytes;
    return this.#write(placement, zeros, 0);
  }
}

interface ClearedUnits {
  readonly guestOffset: number;
  readonly count: number;
  readonly to: Cleared;
}

/**
 * What has a place still was cleared there, and what comes later goes there unrecorded: it is the place
 * that is to be remembered, if no table on the disk has it. Where nothing was changed, nothing may be made once
 * more: what is written to the place that others get may be in tables already, and not be remembered.
 */
function recordCleared(
  journal: ChangeJournal,
  writing: Writing,
  placement: Placement,
  { guestOffset, count, to }: ClearedUnits,
): void {
  for (let done = 0; done < count; done += placement.lengthBytes) {
    writing.place(guestOffset + done, count - done, placement);
    if (placement.kind === Place.Blocked) {
      throw new Error("tables have gone that were just changed");
    }
    const { kind, lengthBytes } = placement;
    const isInTables = writing.tables?.isRecorded(guestOffset + done, lengthBytes) === true;
    if (kind === Place.Fresh) {
      if (writing.tables?.clearsInPlace !== true) {
        journal.cleared(guestOffset + done, lengthBytes, to);
      }
    } else if (!isInTables) journal.wrote(placement, isInTables);
  }
}

function clearedBy({ kind, keepAllocated }: Change): Cleared {
  if (kind === ChangeKind.Discard) return Cleared.Discarded;
  return keepAllocated ? Cleared.KeptZeros : Cleared.Zeros;
}
