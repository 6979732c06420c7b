/**
 * The index of a stream.
 *
 * @module
 */
import { crc32 } from "../kit/crc32.ts";
import { UNIT_BYTES } from "./layout.ts";

const CRC_BYTES = 4;
const INDICATOR = 0;
const MORE_FLAG = 0x80;
const NUMBER_BITS = 7;
const MAX_NUMBER_BYTES = 9;

/** A block, as the index tells of it. */
export interface IndexRecord {
  /** Header, content and check, without padding. */
  readonly unpaddedBytes: number;
  readonly contentBytes: number;
}

/** An index that cannot be true. */
export class IndexFault extends Error {
  override readonly name = "IndexFault";
}

/** What the bytes of an index say, from its indicator to its checksum. */
export class StreamIndex implements Iterable<IndexRecord> {
  readonly count: number;
  readonly #bytes: Uint8Array;
  /** Where the first record begins. */
  readonly #start: number;

  /** @throws {IndexFault} if the checksum is wrong, or there is no room for so many blocks */
  constructor(bytes: Uint8Array) {
    const end = bytes.length - CRC_BYTES;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#bytes = bytes.subarray(0, end);
    if (bytes[0] !== INDICATOR) throw new IndexFault("there is no index");
    if (crc32(this.#bytes) !== view.getUint32(end, true)) {
      throw new IndexFault("the checksum of the index is wrong");
    }
    const [count, start] = this.#number(1);
    if (count > (end - start) / 2) throw new IndexFault("the index is too short for its blocks");
    this.count = count;
    this.#start = start;
  }

  /** @throws {IndexFault} at a number that is none */
  *[Symbol.iterator](): Iterator<IndexRecord> {
    let at = this.#start;
    for (let block = 0; block < this.count; block++) {
      const [unpaddedBytes, middle] = this.#number(at);
      const [contentBytes, end] = this.#number(middle);
      at = end;
      yield { unpaddedBytes, contentBytes };
    }
    if (this.#bytes.length - at >= UNIT_BYTES) throw new IndexFault("the index is too long");
  }

  /** The number at a place, and where it ends. */
  #number(start: number): readonly [value: number, end: number] {
    let value = 0;
    for (let index = 0; index < MAX_NUMBER_BYTES; index++) {
      const byte = this.#bytes[start + index];
      if (byte === undefined) break;
      value += (byte & ~MORE_FLAG) * 2 ** (index * NUMBER_BITS);
      if (byte < MORE_FLAG && Number.isSafeInteger(value)) return [value, start + index + 1];
    }
    throw new IndexFault("the index is damaged");
  }
}
