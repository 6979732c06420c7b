/**
 * A request that waits for a disk: only what is needed to answer it later, no buffer.
 *
 * @module
 */
import type { ImageFile } from "../storage/image_file.ts";
import type { SlowTask } from "../storage/slow_lane.ts";

/** Whoever has to answer a parked request. */
export interface RequestOwner {
  /**
   * Goes on with a request that need not wait any longer.
   *
   * @returns false if there is no room for the answer: it is asked again
   */
  resume(parked: ParkedRequest): boolean;
}

/** A request as its protocol names it. */
export interface RequestFields {
  readonly owner: RequestOwner;
  /** Command or opcode. */
  readonly command: number;
  /** What the protocol's flags say, where that is needed later. */
  readonly flags?: number;
  /** What the answer is known by, a 64-bit number in two halves. */
  readonly tagHigh: number;
  readonly tagLow: number;
  readonly offset: number;
  readonly length: number;
}

export class ParkedRequest implements SlowTask {
  readonly owner: RequestOwner;
  readonly command: number;
  readonly flags: number;
  readonly tagHigh: number;
  readonly tagLow: number;
  readonly offset: number;
  readonly length: number;
  /** What came of the wait; 0 if all is well. */
  error = 0;
  /** How often it has been parked. */
  attempts = 0;
  /** Whether the wait was for what had just been waited for: the page cache is short of room. */
  isStuck = false;
  /** The file range it waits for. */
  file: ImageFile | undefined = undefined;
  hostOffset = -1;
  hostBytes = 0;
  /** Called when the wait is over. */
  onReady: (parked: ParkedRequest) => void = () => {};

  constructor(fields: RequestFields) {
    this.owner = fields.owner;
    this.command = fields.command;
    this.flags = fields.flags ?? 0;
    this.tagHigh = fields.tagHigh;
    this.tagLow = fields.tagLow;
    this.offset = fields.offset;
    this.length = fields.length;
  }

  /** It waits for another thread. */
  waitsForThread(): void {
    this.isStuck = false;
    this.attempts++;
    this.file = undefined;
    this.hostOffset = -1;
  }

  waitsFor(file: ImageFile, hostOffset: number, hostBytes: number): void {
    this.isStuck = this.file === file && this.hostOffset === hostOffset;
    this.attempts++;
    this.file = file;
    this.hostOffset = hostOffset;
    this.hostBytes = hostBytes;
  }

  finished(errno: number): void {
    this.error = errno;
    this.onReady(this);
  }
}
