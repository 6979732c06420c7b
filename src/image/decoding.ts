/**
 * Other threads that decompress for the one that serves.
 *
 * @module
 */
import type { IoBuffer } from "../sys/memory.ts";
import type { Awaited } from "../storage/attempt.ts";

/** How bytes are compressed. */
export const CompressionMethod = { Deflate: 0, Zstd: 1 } as const;
export type CompressionMethod = typeof CompressionMethod[keyof typeof CompressionMethod];

/** What is to be decompressed. */
export interface DecodeTask {
  readonly method: CompressionMethod;
  /** Bytes at the start of {@link DecodeJob.input}. */
  readonly storedBytes: number;
  /** Bytes to fill {@link DecodeJob.output} with. */
  readonly decodedBytes: number;
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
