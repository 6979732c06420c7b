/**
 * Writing whole units where only a part of them is given: copy-on-write for all formats, and encryption,
 * whose units are sectors.
 *
 *     |<------- unit -------->|<------- unit -------->|
 *     | head |        data    :   data         | tail |
 *       old        new                            old
 *
 * @module
 */
import { SECTOR_BYTES } from "../crypt/sector_cipher.ts";
import { Place, type Placement, type Tables } from "../image/writing.ts";
import type { Attempt } from "../storage/attempt.ts";
import { IoBuffer } from "../sys/memory.ts";
import type { ChangeJournal } from "./change_journal.ts";
import { type Reader, ReadRequest } from "./reader.ts";
import { ChangeStep } from "./change_step.ts";

/** What is encrypted at once, but for what belongs to one unit. */
const MOST_SEALED_BYTES = 256 * 1024;

/** What has the bytes that stay as they are. */
export interface OldBytes {
  readonly reader: Pick<Reader, "read">;
  /** Size of the disk, as it is when it is asked for: what a unit has behind it is zeros. */
  readonly sizeBytes: number;
}

export class UnitWriter {
  readonly #tables: Tables | undefined;
  readonly #old: OldBytes;
  readonly #journal: ChangeJournal | undefined;
  readonly #reading = new ReadRequest();
  #buffer = new IoBuffer(0);

  constructor(tables: Tables | undefined, old: OldBytes, journal?: ChangeJournal) {
    this.#tables = tables;
    this.#old = old;
    this.#journal = journal;
  }

  /** On whose behalf old bytes are read. */
  get attempt(): Attempt {
    return this.#reading.attempt;
  }

  /**
   * Writes what a placement, Fresh or encrypted, is about.
   *
   * @returns how many of the given bytes, or {@link ChangeStep.Blocked}: nothing has been changed then
   * @throws {SystemError} if the file cannot be written or the old bytes not read
   * @throws {ImageFormatError} if the image, or one below it, is damaged
   */
  write(placement: Placement, source: IoBuffer, position: number): number {
    if (placement.cipher !== undefined && placement.kind === Place.Direct) widen(placement);
    if (!this.#haveOldBytes(placement)) return ChangeStep.Blocked;
    if (placement.kind === Place.Direct) {
      this.#store(placement, source, position);
      return placement.lengthBytes;
    }
    const tables = this.#tables;
    if (tables === undefined) throw new Error("a place of its own without tables");
    if (!tables.reserve(placement)) return ChangeStep.Blocked;
    let isWritten = false;
    try {
      this.#store(placement, source, position);
      isWritten = true;
    } finally {
      tables.settle(placement, isWritten);
    }
    if (this.#journal !== undefined) record(this.#journal, tables, placement);
    return placement.lengthBytes;
  }

  /** Brings head and tail into the buffer; false if that has to wait. */
  #haveOldBytes(placement: Placement): boolean {
    const { headBytes, lengthBytes, tailBytes, guestOffset, readsAsZeros } = placement;
    if (headBytes === 0 && tailBytes === 0) return true;
    // Whether zeros have to be written will be known once there is a place.
    if (placement.kind === Place.Fresh && readsAsZeros) return true;
    this.#bufferOf(headBytes + lengthBytes + tailBytes);
    const tailAt = headBytes + lengthBytes;
    const start = guestOffset - headBytes;
    // What little lies between them costs less than to read once more.
    const isOneRead = headBytes > 0 && tailBytes > 0 && lengthBytes <= headBytes + tailBytes;
    if (isOneRead) return this.#read(start, tailAt + tailBytes, 0);
    return this.#read(start, headBytes, 0) &&
      this.#read(guestOffset + lengthBytes, tailBytes, tailAt);
  }

  #read(guestOffset: number, lengthBytes: number, position: number): boolean {
    const { reader, sizeBytes } = this.#old;
    const inDisk = Math.max(0, Math.min(lengthBytes, sizeBytes - guestOffset));
    this.#buffer.bytes.fill(0, position + inDisk, position + lengthBytes);
    if (inDisk === 0) return true;
    return reader.read(this.#reading.ask(guestOffset, inDisk).into(this.#buffer, position), 0);
  }

  #bufferOf(lengthBytes: number): IoBuffer {
    if (this.#buffer.size < lengthBytes) {
      this.#buffer = IoBuffer.ofPages(2 ** Math.ceil(Math.log2(lengthBytes)));
    }
    return this.#buffer;
  }

  /** Gives the memory back that is needed for writes alone. */
  releaseMemory(): void {
    this.#buffer = new IoBuffer(0);
  }

  /** Puts all of it where it belongs. */
  #store(placement: Placement, source: IoBuffer, position: number): void {
    const { file, hostOffset, cipher, lengthBytes, headBytes, tailBytes } = placement;
    if (file === undefined) throw new Error("nowhere to write");
    const isWhole = headBytes === 0 && tailBytes === 0;
    const needsNoRest = isWhole || placement.isBlank && placement.readsAsZeros;
    if (cipher === undefined && needsNoRest) {
      return file.write(source, position, hostOffset, lengthBytes);
    }
    const allBytes = headBytes + lengthBytes + tailBytes;
    const buffer = this.#bufferOf(allBytes);
    if (placement.kind === Place.Fresh && placement.readsAsZeros) {
      buffer.bytes.fill(0, 0, headBytes);
      buffer.bytes.fill(0, headBytes + lengthBytes, allBytes);
    }
    buffer.bytes.set(source.bytes.subarray(position, position + lengthBytes), headBytes);
    if (cipher !== undefined) {
      const first = placement.firstSector - Math.floor(headBytes / SECTOR_BYTES);
      cipher.encrypt(buffer.bytes.subarray(0, allBytes), first);
    }
    file.write(buffer, 0, hostOffset - headBytes, allBytes);
  }
}

/** What is in the tables on the disk at once, nobody has to remember, unless something older would undo it. */
function record(journal: ChangeJournal, tables: Tables, placement: Placement): void {
  const { guestOffset, lengthBytes, isCounted } = placement;
  const mayBeThere = isCounted && !journal.hasRecords;
  journal.wrote(placement, mayBeThere && tables.isRecorded(guestOffset, lengthBytes));
}

/** Of what is encrypted, whole sectors have to be written. */
function widen(placement: Placement): void {
  const most = MOST_SEALED_BYTES - SECTOR_BYTES;
  placement.lengthBytes = Math.min(placement.lengthBytes, most);
  placement.headBytes = placement.hostOffset % SECTOR_BYTES;
  placement.tailBytes = -(placement.hostOffset + placement.lengthBytes) & (SECTOR_BYTES - 1);
}
