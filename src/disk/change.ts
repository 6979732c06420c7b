/**
 * One change of a disk: what is asked for, and how far it has come.
 *
 * @module
 */
import type { IoBuffer } from "../sys/memory.ts";

export const ChangeKind = {
  Write: 0,
  /** Frees a range; afterwards it reads as zeros, or (a mere hint) as before. */
  Discard: 1,
  /** Makes a range read as zeros. */
  WriteZeroes: 2,
} as const;
export type ChangeKind = typeof ChangeKind[keyof typeof ChangeKind];

/** Filled anew for each request; {@link Change.copy} makes one that stays. */
export class Change {
  kind: ChangeKind = ChangeKind.Write;
  /** A range inside the disk. */
  offset = 0;
  lengthBytes = 0;
  /** Write: where the bytes are. */
  source: IoBuffer | undefined = undefined;
  position = 0;
  /** WriteZeroes: whether later writes to the range must not need new space. */
  keepAllocated = false;
  /** WriteZeroes: whether to refuse where zeros would have to be written. */
  onlyIfFast = false;
  /** Whether it counts as done only once it is durable. */
  mustBeDurable = false;
  /** Whether no other request is known to wait meanwhile: what it needs had better be done at once. */
  isAlone = false;
  /** How many bytes of it have been done, from its start on. */
  doneBytes = 0;

  /** Asks for a change of `lengthBytes` from `offset` on, with nothing special about it. */
  ask(kind: ChangeKind, offset: number, lengthBytes: number): this {
    this.kind = kind;
    this.offset = offset;
    this.lengthBytes = lengthBytes;
    this.keepAllocated = false;
    this.onlyIfFast = false;
    this.mustBeDurable = false;
    this.isAlone = false;
    this.doneBytes = 0;
    return this;
  }

  /** Write: the bytes are in `source` from `position` on. */
  from(source: IoBuffer, position: number): this {
    this.source = source;
    this.position = position;
    return this;
  }

  get restBytes(): number {
    return this.lengthBytes - this.doneBytes;
  }

  /** The same change, its payload elsewhere: in `source`, from its start on. */
  copy(source: IoBuffer | undefined): Change {
    const copy = new Change().ask(this.kind, this.offset, this.lengthBytes);
    copy.source = source;
    copy.keepAllocated = this.keepAllocated;
    copy.onlyIfFast = this.onlyIfFast;
    copy.mustBeDurable = this.mustBeDurable;
    copy.doneBytes = this.doneBytes;
    return copy;
  }
}
