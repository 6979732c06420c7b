/**
 * Compressed loop images on disk, version 2 (cloop, compressed_loop.h; qemu, block/cloop.c). All numbers are
 * big-endian.
 *
 *     +------------------+
 *     | preamble, text   |
 *     | block_size       |
 *     | num_blocks       |
 *     +------------------+
 *     | offset 0 --------+--> +----------------------+
 *     | offset 1 --------+-.  | block 0, compressed  |
 *     | ...              |  `>+----------------------+
 *     | offset n --------+-.  | block 1, compressed  |
 *     +------------------+ |  | ...                  |
 *                           `>+----------------------+  end of the last block
 *
 * Each block is a zlib stream, and whole when decompressed, the last one too.
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

/** A script that mounts the image begins so. */
export const MAGIC_BYTES: Uint8Array = new TextEncoder().encode("#!/bin/sh\n#V2.0 Format\n");

export const HEADER = new RecordLayout({
  preamble: "bytes128",
  block_size: "u32",
  num_blocks: "u32",
}, { sizeBytes: 136, endian: "big" });

export const SECTOR_BYTES = 512;
export const OFFSET_BYTES = 8;

// qemu's limits
export const MAX_BLOCK_BYTES: number = 64 * 1024 * 1024;
export const MAX_TABLE_BYTES: number = 512 * 1024 * 1024;
/** Compression can make a block larger, but not more than so often. */
export const MAX_EXPANSION = 2;
