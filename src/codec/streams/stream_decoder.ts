/**
 * Decompressing files from their start on, of which neither the stored nor the decompressed bytes fit into
 * memory.
 *
 * @module
 */
import type { IoBuffer } from "../../sys/memory.ts";

/** A part of a buffer. */
export interface Span {
  readonly buffer: IoBuffer;
  readonly start: number;
  readonly lengthBytes: number;
}

/** How far a step has come. */
export interface Step {
  /** Bytes of the input that are not needed any more. */
  readonly takenBytes: number;
  /** Bytes of the output that are there. */
  readonly filledBytes: number;
  /** Whether there is nothing more: all that follows in the input belongs to something else. */
  readonly isOver: boolean;
}

/** A stream that cannot be decompressed. */
export class StreamError extends Error {
  override readonly name = "StreamError";
}

export interface StreamDecoder extends Disposable {
  /**
   * Decompresses as much as `input` has, and `output` has room for.
   *
   * @param isLast whether nothing follows the input
   * @throws {StreamError} if it is damaged, ends too soon, or needs more than the library takes
   */
  decode(input: Span, output: Span, isLast: boolean): Step;
}

/** Address of the first byte of a part of a buffer. */
export function addressOfSpan({ buffer, start }: Span): number {
  return buffer.address + start;
}

/** The bytes of a part of a buffer. */
export function bytesOfSpan({ buffer, start, lengthBytes }: Span): Uint8Array {
  return buffer.bytes.subarray(start, start + lengthBytes);
}

/** @throws {StreamError} if a step has led to nothing though nothing is to follow */
export function refuseStandstill(step: Step, isLast: boolean): Step {
  const isStanding = step.takenBytes === 0 && step.filledBytes === 0 && !step.isOver;
  if (isStanding && isLast) throw new StreamError("it ends too soon");
  return step;
}
