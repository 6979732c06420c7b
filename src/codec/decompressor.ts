/**
 * What turns the stored bytes of a piece into the piece.
 *
 * @module
 */

export interface Decompressor extends Disposable {
  /**
   * Decompresses `stored`, which may be followed by anything, into `piece`.
   *
   * @param leastBytes so many bytes are in there at least; those that are not become zeros. All by default
   * @returns false if there are fewer: what `piece` has now means nothing
   */
  decompress(stored: Uint8Array, piece: Uint8Array, leastBytes?: number): boolean;
}

/** Concludes what has filled `count` bytes of `piece`, or -1 for damage: as {@link Decompressor}. */
export function conclude(count: number, piece: Uint8Array, leastBytes = piece.length): boolean {
  if (count < leastBytes || count > piece.length) return false;
  piece.fill(0, count);
  return true;
}
