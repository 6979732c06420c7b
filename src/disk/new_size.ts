/**
 * How large a disk is to become.
 *
 * @module
 */

export interface NewSize {
  readonly bytes: number;
  /** Whether that is how much comes to what it has. */
  readonly isMore: boolean;
}

/**
 * In bytes, of a disk that has `hasBytes`.
 *
 * @throws {RangeError} if no number can say exactly how many
 */
export function wantedBytes({ bytes, isMore }: NewSize, hasBytes: number): number {
  const wanted = isMore ? hasBytes + bytes : bytes;
  if (Number.isSafeInteger(wanted)) return wanted;
  throw new RangeError("that is larger than any disk");
}
