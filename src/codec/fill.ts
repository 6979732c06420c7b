/**
 * Pieces that are one pattern over and over, of which it is stored once.
 *
 * @module
 */
import type { Decompressor } from "./decompressor.ts";

export class Filler implements Decompressor {
  decompress(stored: Uint8Array, piece: Uint8Array): boolean {
    if (stored.length === 0) return false;
    piece.set(stored.subarray(0, piece.length));
    for (let filled = stored.length; filled < piece.length; filled *= 2) {
      piece.copyWithin(filled, 0, Math.min(filled, piece.length - filled));
    }
    return true;
  }

  [Symbol.dispose](): void {}
}
