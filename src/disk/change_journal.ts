/**
 * What has been changed of an image, and is in no table on the disk yet, in memory that outlives the
 * daemon: whoever takes its place makes these changes once more, so that none is missing that was
 * answered. Of bytes only the place is remembered: they are in the file, and nobody else gets it before
 * the tables are durable.
 *
 *     0    64                                                     memory
 *     +----+-----+-----+-----------------------------+-----+-----+
 *     |head|     |     | taken by a round | since    |     |     |   records, a ring
 *     +----+-----+-----+-----------------------------+-----+-----+
 *                      ^ begin            ^ mark     ^ end
 *
 * A record is complete before it counts, and counts before the change is answered: whatever instruction
 * the daemon is killed at, what counts is right. Nothing is recorded of what is written in place, and of
 * what is in the tables already when nothing older waits.
 *
 * @module
 */
import { Cleared, type Placement } from "../image/writing.ts";
import type { ImageFile } from "../storage/image_file.ts";
import type { IoBuffer } from "../sys/memory.ts";

/** Memory that outlives the daemon. All of it is zero at first. */
export interface KeptChanges {
  /** For records. */
  readonly memory: IoBuffer;
  /** A file in memory, for bytes: from `storeOffset` on. */
  readonly store: ImageFile;
  readonly storeOffset: number;
}

/** What a record is about. */
export const KeptKind = { Data: 1, Discarded: 2, Zeros: 3, KeptZeros: 4 } as const;
export type KeptKind = typeof KeptKind[keyof typeof KeptKind];

/** A change, as it was recorded. */
export interface KeptChange {
  readonly kind: KeptKind;
  readonly guestOffset: number;
  readonly lengthBytes: number;
  /** Data: where the bytes are, of which of the image's files, and what the cipher counts them as. */
  readonly file: ImageFile | undefined;
  readonly hostOffset: number;
  readonly firstSector: number;
}

const SECTOR_BYTES = 512;
const VERSION = 1;
/** In the head, each 4 bytes. */
const Head = { version: 0, begin: 1, end: 2, isSecured: 3, hasLost: 4 } as const;
const RECORD_BYTES = 64;
const HEAD_BYTES = RECORD_BYTES;
/** In a record, each 8 bytes. */
const Field = { kind: 0, guestOffset: 1, lengthBytes: 2, file: 3, hostOffset: 4, firstSector: 5 };
const RECORD_FIELDS = RECORD_BYTES / Float64Array.BYTES_PER_ELEMENT;

/** One change is recorded piece by piece: for so many of all records, there is always room. */
const SPARE = 1 / 8;
/** So many bytes may have to be held once more when the changes are made anew. */
const MOST_BYTES = 256 * 1024 * 1024;

/** Whether an earlier daemon has had it. */
export function isInUse({ memory }: Pick<KeptChanges, "memory">): boolean {
  return memory.view.getInt32(Head.version, true) !== 0;
}

export class ChangeJournal {
  readonly #head: Int32Array;
  readonly #address: number;
  readonly #records: Float64Array;
  readonly #capacity: number;
  readonly #files: readonly ImageFile[];
  /** Counted on and on; a record is at the remainder. */
  #begin: number;
  #mark: number;
  #end: number;
  /** Of the records that there are, and of those before the mark. */
  #bytes = 0;
  #markedBytes = 0;
  /** What the places of these records have room for besides, of all of them and of those behind the mark. */
  #blankBytes = 0;
  #laterBlankBytes = 0;
  /** Whether changes are being made anew, which are recorded already. */
  #isPaused: boolean;

  /**
   * @param files of the image, in an order that stays
   * @throws {Error} if another version of this has left its records there
   */
  constructor({ memory }: Pick<KeptChanges, "memory">, files: readonly ImageFile[]) {
    const { buffer, byteOffset } = memory.bytes;
    this.#address = memory.address;
    const records = Math.floor((memory.size - HEAD_BYTES) / RECORD_BYTES);
    this.#capacity = 2 ** Math.floor(Math.log2(records));
    this.#head = new Int32Array(buffer, byteOffset, HEAD_BYTES / Int32Array.BYTES_PER_ELEMENT);
    const start = byteOffset + HEAD_BYTES;
    this.#records = new Float64Array(buffer, start, this.#capacity * RECORD_FIELDS);
    this.#files = files;
    const version = this.#head[Head.version];
    if (version !== 0 && version !== VERSION) throw new Error(`changes of version ${version}`);
    this.#head[Head.version] = VERSION;
    this.#begin = (this.#head[Head.begin] ?? 0) >>> 0;
    this.#end = (this.#head[Head.end] ?? 0) >>> 0;
    this.#mark = this.#begin;
    this.#isPaused = this.hasRecords || this.isSecured;
  }

  get hasRecords(): boolean {
    return this.#begin !== this.#end;
  }

  get #count(): number {
    return this.#end - this.#begin >>> 0;
  }

  /** Whether what has been recorded had better become durable now. */
  get isCrowded(): boolean {
    return !this.#isPaused &&
      (this.#count * 2 >= this.#capacity || this.#bytes * 2 >= MOST_BYTES);
  }

  /** Whether no change may be made before that. */
  get isFull(): boolean {
    return !this.#isPaused &&
      (this.#count >= this.#capacity * (1 - SPARE) || this.#bytes >= MOST_BYTES);
  }

  /**
   * Records that the units which a placement is about have been written.
   *
   * @param inTables whether that is in the tables on the disk already
   */
  wrote(placement: Placement, inTables: boolean): void {
    if (this.#isPaused || inTables && !this.hasRecords) return;
    const { guestOffset, lengthBytes, hostOffset, file } = placement;
    const before = placement.headBytes + placement.blankBefore;
    const allBytes = before + lengthBytes + placement.tailBytes + placement.blankBehind;
    const at = this.#next(KeptKind.Data, guestOffset - before, allBytes);
    const records = this.#records;
    records[at + Field.file] = file === undefined ? -1 : this.#files.indexOf(file);
    records[at + Field.hostOffset] = hostOffset - before;
    records[at + Field.firstSector] = placement.firstSector - Math.floor(before / SECTOR_BYTES);
    // What is blank is not held, until it is written to.
    const blankBytes = placement.blankBefore + placement.blankBehind;
    this.#bytes += allBytes - blankBytes;
    this.#blankBytes += blankBytes;
    this.#laterBlankBytes += blankBytes;
    this.#append();
  }

  /** Takes notice of bytes that were written where they had a place: perhaps one that a record is about. */
  wroteInPlace(lengthBytes: number): void {
    const count = Math.min(lengthBytes, this.#blankBytes);
    this.#blankBytes -= count;
    this.#bytes += count;
  }

  /** Records that whole units have been cleared. */
  cleared(guestOffset: number, lengthBytes: number, to: Cleared): void {
    if (this.#isPaused) return;
    this.#next(kindOf(to), guestOffset, lengthBytes);
    this.#append();
  }

  /** Begins a record, which does not count yet; the number of its first field. */
  #next(kind: KeptKind, guestOffset: number, lengthBytes: number): number {
    const at = this.#end % this.#capacity * RECORD_FIELDS;
    const records = this.#records;
    records[at + Field.kind] = kind;
    records[at + Field.guestOffset] = guestOffset;
    records[at + Field.lengthBytes] = lengthBytes;
    return at;
  }

  /** Not a plain store: neither may one before it be made after it. */
  #append(): void {
    this.#end = this.#end + 1 >>> 0;
    Atomics.store(this.#head, Head.end, this.#end);
  }

  /** A round begins that has taken all changes so far, or all before those the last one had taken. */
  begin(hasTakenAll: boolean): void {
    this.#mark = hasTakenAll ? this.#end : this.#begin;
    this.#markedBytes = hasTakenAll ? this.#bytes : 0;
    this.#laterBlankBytes = hasTakenAll ? 0 : this.#blankBytes;
  }

  /** The changes that the round has taken are durable. To be said before their old places are free. */
  end(): void {
    if (this.#isPaused) return;
    this.#drop(this.#mark);
    this.#bytes -= this.#markedBytes;
    this.#markedBytes = 0;
    this.#blankBytes = this.#laterBlankBytes;
  }

  #drop(end: number): void {
    this.#begin = end;
    Atomics.store(this.#head, Head.begin, end);
  }

  /** Whether something that was written was lost, be it for an earlier daemon. */
  get hasLost(): boolean {
    return this.#head[Head.hasLost] !== 0;
  }

  setLost(): void {
    this.#head[Head.hasLost] = 1;
  }

  /** Where that is, for threads that have no journal: 4 bytes, 0 if nothing was lost. */
  get lostAddress(): number {
    return this.#address + Head.hasLost * Int32Array.BYTES_PER_ELEMENT;
  }

  /** The changes that are recorded, in their order. */
  *changes(): Generator<KeptChange> {
    for (let n = this.#begin; n !== this.#end; n = n + 1 >>> 0) {
      const at = n % this.#capacity * RECORD_FIELDS;
      const field = (index: number): number => this.#records[at + index] ?? 0;
      const kind = field(Field.kind) as KeptKind;
      yield {
        kind,
        guestOffset: field(Field.guestOffset),
        lengthBytes: field(Field.lengthBytes),
        // What a record is not about, an older one has left there.
        file: kind === KeptKind.Data ? this.#files[field(Field.file)] : undefined,
        hostOffset: field(Field.hostOffset),
        firstSector: field(Field.firstSector),
      };
    }
  }

  /** Whether the bytes of all changes are held elsewhere, too. */
  get isSecured(): boolean {
    return this.#head[Head.isSecured] !== 0;
  }

  /** Says that they are: from now on, their places may be written to. */
  setSecured(): void {
    Atomics.store(this.#head, Head.isSecured, 1);
  }

  /** All changes have been made anew, and are durable: from now on, new ones are recorded. */
  resume(): void {
    this.#drop(this.#end);
    Atomics.store(this.#head, Head.isSecured, 0);
    this.#isPaused = false;
  }
}

function kindOf(to: Cleared): KeptKind {
  switch (to) {
    case Cleared.Discarded:
      return KeptKind.Discarded;
    case Cleared.Zeros:
      return KeptKind.Zeros;
    case Cleared.KeptZeros:
      return KeptKind.KeptZeros;
    case Cleared.Nothing:
      throw new Error("an image that is emptied while it is served");
  }
}
