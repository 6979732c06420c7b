/**
 * A request that waits: only what is needed to answer it later. A read has no buffer meanwhile.
 *
 * @module
 */
import type { Change } from "../disk/change.ts";
import { FileRange } from "../storage/attempt.ts";
import type { SlowTask } from "../storage/slow_lane.ts";

/** Whoever has to answer a parked request. */
export interface RequestOwner {
  /**
   * Goes on with a request that need not wait any longer.
   *
   * @returns false if there is no room for the answer: it is asked again
   */
  resume(parked: ParkedRequest): boolean;
  /** Parks the request at hand, which it will be asked to go on with or to answer. */
  park(): ParkedRequest;
  /** Whether nobody waits for its answers any more. */
  readonly isGone: boolean;
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
  readonly range = new FileRange();
  /** If it is a change: how far it has come. */
  change: Change | undefined = undefined;
  /** If it is a search: where it has come to. */
  progress = 0;
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

  /** It waits for somebody else's work. */
  waitsForWork(): void {
    this.isStuck = false;
    this.attempts++;
    this.range.clear();
  }

  waitsFor({ file, hostOffset, hostBytes }: FileRange): void {
    this.isStuck = this.range.file === file && this.range.hostOffset === hostOffset;
    this.attempts++;
    this.range.set(file, hostOffset, hostBytes);
  }

  finished(errno: number): void {
    this.error = errno;
    this.onReady(this);
  }
}
