/**
 * Other threads that decompress for the one that serves.
 *
 * @module
 */
import type { IoBuffer } from "../sys/memory.ts";
import type { Awaited } from "../storage/attempt.ts";

/** How bytes are compressed. */
export const CompressionMethod = {
  /** A raw stream (RFC 1951). */
  Deflate: 0,
  /** Frames (RFC 8878). */
  Zstd: 1,
  /** A stream with header and checksum (RFC 1950). */
  Zlib: 2,
  /** A stream as bzip2(1) writes it. */
  Bzip2: 3,
  /** A whole stream as xz(1) writes it, not a block of one. */
  Xz: 4,
  /** Apple Data Compression. */
  Adc: 5,
  /** Apple's LZFSE, LZVN among it. */
  Lzfse: 6,
  /** A pattern, to be repeated. */
  Fill: 7,
  /** A block of a stream of xz(1), by the check that it has. */
  XzBlock: 8,
  XzBlockCrc32: 9,
  XzBlockCrc64: 10,
  XzBlockSha256: 11,
  /** As they are, with an Adler-32 behind them. */
  Summed: 12,
} as const;
export type CompressionMethod = typeof CompressionMethod[keyof typeof CompressionMethod];

/** What is known of all pieces of an image, where they are not all as long as the first one. */
export interface Packing {
  /** The longest piece, in bytes when decompressed: so large are the slots of the cache. */
  readonly maxPieceBytes: number;
  /** How they are compressed: for some methods, a library is needed that may be missing. */
  readonly methods: readonly CompressionMethod[];
}

/** What is to be decompressed. */
export interface DecodeTask {
  readonly method: CompressionMethod;
  /** Bytes at the start of {@link DecodeJob.input}. */
  readonly storedBytes: number;
  /** Bytes to fill {@link DecodeJob.output} with. */
  readonly decodedBytes: number;
  /** So many of them are stored at least; those that are not are zeros. */
  readonly leastBytes: number;
  /** Called when it is done; `succeeded` is false where the stored bytes are damaged. */
  readonly onDone: (succeeded: boolean) => void;
}

/** One piece of work for another thread. */
export interface DecodeJob extends Awaited {
  readonly input: IoBuffer;
  readonly output: IoBuffer;
  /** Hands the job over; false if no thread can take it: it is free again then. */
  start(task: DecodeTask): boolean;
  /** Gives up a job that was claimed, but not started. */
  release(): void;
}

/** Threads that can take such work. */
export interface DecodeLane {
  /** A job with room for so many bytes; undefined while it is better to decode in this thread. */
  claim(storedBytes: number, decodedBytes: number): DecodeJob | undefined;
}
