/**
 * Verifying the content of a disk by the checksums that its image has of it: a driver says what is to be
 * read, and what has to come of it.
 *
 * @module
 */

/** How checksums are computed; CRC-32 is that of gzip (ISO 3309). */
export type SumMethod = "crc32" | "md5" | "sha1";

/** One step; each follows those before it. */
export type ContentStep = BeginStep | ReadStep | CompareStep;

/** From here on, other checksums are computed. */
interface BeginStep {
  readonly kind: "begin";
  readonly methods: readonly SumMethod[];
}

/** A part of the disk belongs to them. */
interface ReadStep {
  readonly kind: "read";
  readonly guestOffset: number;
  readonly lengthBytes: number;
}

/** What one of them has to be by now. */
interface CompareStep {
  readonly kind: "compare";
  readonly method: SumMethod;
  /** In hexadecimal digits, small ones. */
  readonly expected: string;
  /** What it belongs to, to go behind "the MD5 of". */
  readonly name: string;
}
