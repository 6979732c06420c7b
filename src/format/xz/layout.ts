/**
 * Files of xz(1) (The .xz File Format, version 1.2.1; https://tukaani.org/xz/xz-file-format.txt): streams, one
 * after the other, which are read from the end: only the footer says where the index is, and that, where
 * the blocks are.
 *
 *     stream   │ header │ block │ block │ ... │ index │ footer │ padding: fours of zeros │ next stream ...
 *     block    │ block header │ compressed │ padding to fours │ check │
 *     index    │ 00 │ number of blocks │ unpadded size, content size │ ... │ padding │ CRC-32 │
 *
 * Numbers in the index have 7 bits in each byte, the lowest first, and bit 7 where one more follows. The
 * unpadded size is that of the block without its padding. `xz -T0` writes blocks of 24 MiB of the disk (at
 * its usual level), `xz -T1`, as was the default before 5.6, a single one.
 *
 * @module
 */
import { XzCheck } from "../../codec/xz_block.ts";
import { CompressionMethod } from "../../image/decoding.ts";
import { RecordLayout } from "../kit/record.ts";

export const MAGIC = Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00);

/** The stream's header, but for the magic. */
export const HEADER_BYTES = 12;

export const FOOTER = new RecordLayout({
  /** Of what follows, but for the magic. */
  crc32: "u32",
  /** Of the index: in fours, less one. */
  backward_size: "u32",
  /** A byte that is 0, and the number of the check. */
  stream_flags: "bytes2",
  magic: "bytes2",
}, { sizeBytes: 12, endian: "little" });

export const FOOTER_MAGIC = Uint8Array.of(0x59, 0x5a);

/** What everything but blocks' content is a multiple of. */
export const UNIT_BYTES = 4;

/** How blocks are decompressed, by their check. */
export const METHODS: ReadonlyMap<number, CompressionMethod> = new Map([
  [XzCheck.None, CompressionMethod.XzBlock],
  [XzCheck.Crc32, CompressionMethod.XzBlockCrc32],
  [XzCheck.Crc64, CompressionMethod.XzBlockCrc64],
  [XzCheck.Sha256, CompressionMethod.XzBlockSha256],
]);
