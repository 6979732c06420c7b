/**
 * The streams of a file, found from its end on.
 *
 * @module
 */
import { ImageFormatError, UnsupportedFeatureError } from "../../image/errors.ts";
import { XZ } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { crc32 } from "../kit/crc32.ts";
import { IndexFault, type IndexRecord, StreamIndex } from "./index_record.ts";
import { FOOTER, FOOTER_MAGIC, HEADER_BYTES, MAGIC, UNIT_BYTES } from "./layout.ts";

/** A stream. */
export interface XzStreamPlace {
  /** Where its first block is. */
  readonly blocksOffset: number;
  readonly indexOffset: number;
  readonly indexBytes: number;
  /** Number of the check that its blocks have. */
  readonly check: number;
  /** How many blocks it has. */
  readonly count: number;
}

/** Larger ones belong to disks of hundreds of terabytes. */
const MAX_INDEX_BYTES = 64 * 1024 * 1024;
/** More would take seconds to find. */
const MAX_STREAMS = 65536;
const NO_FOOTER = "there is no footer of a stream: the file may be incomplete";
/** How much padding is read at once. */
const PADDING_BYTES = 4096;

/** Reads what is there besides blocks. */
export class StreamReader {
  readonly #file: ImageFile;

  constructor(file: ImageFile) {
    this.#file = file;
  }

  /**
   * All streams, in the order of the disk.
   *
   * @throws {ImageFormatError} if something else is among them
   * @throws {UnsupportedFeatureError} if there are too many
   */
  find(): readonly XzStreamPlace[] {
    const streams: XzStreamPlace[] = [];
    for (let end = this.#file.sizeBytes; end > 0;) {
      end = this.#withoutPadding(end);
      if (end === 0) throw this.#fault("there is no stream", 0);
      const stream = this.#endingAt(end);
      streams.push(stream);
      end = stream.blocksOffset - HEADER_BYTES;
      if (streams.length <= MAX_STREAMS) continue;
      const feature = `more than ${MAX_STREAMS} streams`;
      throw new UnsupportedFeatureError(XZ.name, this.#file.path, feature);
    }
    return streams.reverse();
  }

  /** The blocks of a stream; throws likewise. */
  *records({ indexOffset, indexBytes }: XzStreamPlace): Generator<IndexRecord> {
    const index = this.#told(indexOffset, () => this.#index(indexOffset, indexBytes));
    const records = index[Symbol.iterator]();
    for (;;) {
      const { done, value } = this.#told(indexOffset, () => records.next());
      if (done === true) return;
      yield value;
    }
  }

  #index(hostOffset: number, lengthBytes: number): StreamIndex {
    return new StreamIndex(this.#read(hostOffset, lengthBytes).bytes);
  }

  /** Where a stream ends that is followed by padding up to `end`. */
  #withoutPadding(end: number): number {
    let at = end;
    while (at > 0) {
      const lengthBytes = Math.min(PADDING_BYTES, at);
      const { bytes } = this.#read(at - lengthBytes, lengthBytes);
      const last = bytes.findLastIndex((byte) => byte !== 0);
      if (last >= 0) {
        at -= lengthBytes - (last + 1);
        break;
      }
      at -= lengthBytes;
    }
    if ((end - at) % UNIT_BYTES !== 0) throw this.#fault(NO_FOOTER, at);
    return at;
  }

  #endingAt(end: number): XzStreamPlace {
    const footerOffset = end - FOOTER.sizeBytes;
    if (footerOffset < HEADER_BYTES) throw this.#fault("the file is too short", 0);
    const { view, bytes } = this.#read(footerOffset, FOOTER.sizeBytes);
    const { crc32: sum, backward_size, stream_flags, magic } = FOOTER.read(view, 0);
    const summed = bytes.subarray(FOOTER.offsets.backward_size, FOOTER.offsets.magic);
    if (!isSame(magic, FOOTER_MAGIC) || crc32(summed) !== sum) {
      throw this.#fault(NO_FOOTER, footerOffset);
    }
    const indexBytes = (backward_size + 1) * UNIT_BYTES;
    const indexOffset = footerOffset - indexBytes;
    if (indexOffset < HEADER_BYTES || indexBytes > MAX_INDEX_BYTES) {
      throw this.#fault("the index cannot be so long", footerOffset);
    }
    const { bytesBefore, count } = this.#blocksOf(indexOffset, indexBytes);
    const blocksOffset = indexOffset - bytesBefore;
    this.#checkHeader(blocksOffset - HEADER_BYTES, stream_flags);
    return { blocksOffset, indexOffset, indexBytes, check: stream_flags[1] ?? 0, count };
  }

  /** How many blocks there are before an index, and how many bytes they have. */
  #blocksOf(
    indexOffset: number,
    indexBytes: number,
  ): { readonly bytesBefore: number; readonly count: number } {
    return this.#told(indexOffset, () => {
      const index = this.#index(indexOffset, indexBytes);
      let bytesBefore = 0;
      for (const record of index) bytesBefore += paddedBytes(record);
      return { bytesBefore, count: index.count };
    });
  }

  /** The header says the same as the footer. */
  #checkHeader(hostOffset: number, flags: Uint8Array): void {
    if (hostOffset < 0) throw this.#fault("the blocks do not fit into the file", 0);
    const { bytes, view } = this.#read(hostOffset, HEADER_BYTES);
    const ownFlags = bytes.subarray(MAGIC.length, MAGIC.length + flags.length);
    const isRight = isSame(bytes.subarray(0, MAGIC.length), MAGIC) && isSame(ownFlags, flags) &&
      crc32(ownFlags) === view.getUint32(MAGIC.length + flags.length, true);
    if (!isRight) throw this.#fault("there is no header of a stream", hostOffset);
  }

  #read(hostOffset: number, lengthBytes: number): IoBuffer {
    const buffer = new IoBuffer(lengthBytes);
    this.#file.read(buffer, 0, hostOffset, lengthBytes);
    return buffer;
  }

  #told<T>(hostOffset: number, look: () => T): T {
    try {
      return look();
    } catch (error) {
      throw error instanceof IndexFault ? this.#fault(error.message, hostOffset) : error;
    }
  }

  #fault(what: string, hostOffset: number): ImageFormatError {
    const message = `${what} (at 0x${hostOffset.toString(16)})`;
    return new ImageFormatError(XZ.name, this.#file.path, message, hostOffset);
  }
}

/** What a block takes in the file. */
export function paddedBytes({ unpaddedBytes }: IndexRecord): number {
  return Math.ceil(unpaddedBytes / UNIT_BYTES) * UNIT_BYTES;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
