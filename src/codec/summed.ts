/**
 * Pieces stored as they are, with an Adler-32 behind them (RFC 1950, section 8.2), as EWF has them: its lowest
 * byte first.
 *
 * @module
 */
import type { Decompressor } from "./decompressor.ts";
import { adler32 } from "./zlib.ts";

const CHECKSUM_BYTES = 4;

/** What is stored has to be the piece, and its checksum right. */
export class SummedDecoder implements Decompressor {
  decompress(stored: Uint8Array, piece: Uint8Array): boolean {
    const count = stored.length - CHECKSUM_BYTES;
    if (count < piece.length) return false;
    const bytes = stored.subarray(0, piece.length);
    const sum = new DataView(stored.buffer, stored.byteOffset + count).getUint32(0, true);
    if (adler32(stored.subarray(0, count)) !== sum) return false;
    piece.set(bytes);
    return true;
  }

  [Symbol.dispose](): void {}
}
