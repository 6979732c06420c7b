/**
 * Files of zstd(1) (RFC 8878): frames, one after the other, each a disk's next bytes.
 *
 *     frame      │ 28 b5 2f fd │ descriptor │ window? │ dictionary? │ content size? │ blocks │ checksum? │
 *     skippable  │ 5x 2a 4d 18 │ length     │ bytes that mean nothing to the decoder               │
 *     block      │ 3 bytes: bit 0 last, bits 1-2 type, then its length │ bytes                      │
 *
 * zstd(1) writes one frame, whatever the number of threads, with a content size if it knew that when it
 * began: not where it has read a pipe. pzstd(1) writes many, without one.
 *
 * @module
 */

/** What a frame begins with. */
export const MAGIC = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);

/** What files of pzstd(1) begin with: a skippable frame of four bytes. */
export const PZSTD_MAGIC = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0);
