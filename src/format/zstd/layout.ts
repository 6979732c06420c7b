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
 * A seekable file (zstd's contrib/seekable_format) ends with a skippable frame that has a table:
 *
 *     │ 5e 2a 4d 18 │ length │ stored, content size, checksum? of each frame │ footer │
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

/** What a frame begins with. */
export const MAGIC = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);

/** What files of pzstd(1) begin with: a skippable frame of four bytes. */
export const PZSTD_MAGIC = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0);

/** Of a skippable frame: the mark, and the length of what follows. */
export const SKIPPABLE_HEADER_BYTES = 8;

/** What a seekable file ends with. */
export const SEEK_FOOTER = new RecordLayout({
  frames: "u32",
  flags: "u8",
  magic: "u32",
}, { sizeBytes: 9, endian: "little" });

export const SEEK_MAGIC = 0x8f92eab1;
export const SeekFlag = { Checksums: 0x80, Reserved: 0x7c } as const;
