/**
 * The one place where requests change the disk.
 *
 *     change ── quick? ── made at once ──────────────────────────────────────────────> answered
 *       │                                                                                ^
 *       ├─ a write to slow files: parked with its payload ── slow lane ──────────────────┤
 *       └─ long zeros, a long discard: parked ── a piece each turn, or the slow lane ────┘
 *
 * So other requests never wait longer than one piece of a change takes. Changes of a client that has
 * gone are dropped.
 *
 * @module
 */
import { type Change, ChangeKind } from "../disk/change.ts";
import type { ImageAccess } from "../disk/image_access.ts";
import type { SlowLane } from "../storage/slow_lane.ts";
import { ECANCELED, EOPNOTSUPP, SystemError } from "../sys/errno.ts";
import { IoBuffer } from "../sys/memory.ts";
import type { ParkedRequest, RequestOwner } from "./parked_request.ts";
import { Payloads } from "./payloads.ts";
import { PieceSize } from "./piece_size.ts";
import { WritePace } from "./write_pace.ts";

/** Outcomes of a change that are no error numbers. */
export const ChangeOutcome = {
  /** It has been parked, and will be answered. */
  Parked: -1,
  /** There is no room for its payload now: it has to be asked for again later. */
  NoRoom: -2,
} as const;

/** So long the changes of one turn may take; what is left then goes on in the next one. */
const TURN_MS = 4;
/** Zeros are written in pieces of this size where the file system cannot do better. */
const ZEROS_BYTES = 1024 * 1024;

const REFUSED = new SystemError("fallocate", EOPNOTSUPP);

/** What changes need of their surroundings. */
export interface ChangesContext {
  readonly access: ImageAccess;
  readonly lane: SlowLane;
  /** Logs why a change has failed; returns its error number. */
  readonly failure: (change: Change, error: unknown) => number;
  /** Has the owner of a parked change told that it is done; its `error` says how that went. */
  readonly onDone: (parked: ParkedRequest) => void;
}

/** Changes the disk for one thread. */
export class Changes {
  readonly #context: ChangesContext;
  readonly #pace = new WritePace();
  readonly #pieces = new PieceSize();
  readonly #payloads = new Payloads();
  #zeros: IoBuffer | undefined;
  /** Changes that go on in the next turn, in the order of their turns. */
  #ongoing: ParkedRequest[] = [];
  /** Whose change went on last. */
  #lastOwner: RequestOwner | undefined;
  /** What the changes of this turn have taken so far. */
  #spentMs = 0;

  constructor(context: ChangesContext) {
    this.#context = context;
  }

  /** Whether some change goes on in the next turn. */
  get busy(): boolean {
    return this.#ongoing.length > 0;
  }

  /** As {@link Payloads.takeFreed}. */
  takeFreed(): boolean {
    return this.#payloads.takeFreed();
  }

  releaseMemory(): void {
    this.#payloads.releaseMemory();
    this.#zeros?.releasePages();
  }

  /**
   * Makes a change, or parks it for `owner`.
   *
   * @returns 0 if it is made, one of {@link ChangeOutcome}, or an error number
   */
  make(change: Change, owner: RequestOwner): number {
    try {
      while (change.restBytes > 0) {
        if (!this.#mayGoOn(change) || !this.#makePiece(change)) return this.#park(change, owner);
      }
      return 0;
    } catch (error) {
      return this.#failure(change, error);
    }
  }

  #failure(change: Change, error: unknown): number {
    return error === REFUSED ? EOPNOTSUPP : this.#context.failure(change, error);
  }

  #mayGoOn({ kind }: Change): boolean {
    return kind === ChangeKind.Write || this.#spentMs < TURN_MS;
  }

  /** Makes the next piece of a change; false if that had better be left to another thread. */
  #makePiece(change: Change): boolean {
    const began = performance.now();
    const count = change.kind === ChangeKind.Write ? this.#write(change) : this.#clear(change);
    change.doneBytes += count;
    const ms = performance.now() - began;
    this.#spentMs += ms;
    if (change.kind === ChangeKind.Write) this.#pace.took(ms, count);
    else this.#pieces.took(ms, count);
    return count > 0;
  }

  #write(change: Change): number {
    return this.#pace.isSlow ? 0 : this.#context.access.write(change);
  }

  /** Frees or clears a piece; bytes of it. */
  #clear(change: Change): number {
    const { access } = this.#context;
    const cleared = access.clear(change, this.#pieces.bytes);
    if (cleared > 0) return cleared;
    if (change.onlyIfFast) throw REFUSED;
    return this.#pace.isSlow ? 0 : this.#writeZeros(change);
  }

  #writeZeros(change: Change): number {
    const { file, hostOffset, lengthBytes } = this.#context.access.place(change);
    const count = Math.min(lengthBytes, ZEROS_BYTES, this.#pieces.bytes);
    const began = performance.now();
    file?.write(this.#zeroBytes(), 0, hostOffset, count);
    this.#pace.took(performance.now() - began, count);
    return count;
  }

  #zeroBytes(): IoBuffer {
    return this.#zeros ??= IoBuffer.ofPages(ZEROS_BYTES);
  }

  #park(change: Change, owner: RequestOwner): number {
    const { source, position, lengthBytes, kind } = change;
    let payload: IoBuffer | undefined;
    if (kind === ChangeKind.Write && source !== undefined) {
      payload = this.#payloads.take(lengthBytes);
      if (payload === undefined) return ChangeOutcome.NoRoom;
      payload.bytes.set(source.bytes.subarray(position, position + lengthBytes));
    }
    const parked = owner.park();
    parked.change = change.copy(payload);
    this.#goOnWith(parked, parked.change);
    return ChangeOutcome.Parked;
  }

  #goOnWith(parked: ParkedRequest, change: Change): void {
    if (change.kind === ChangeKind.Write) this.#writeElsewhere(parked, change);
    else this.#ongoing.push(parked);
  }

  /** A new turn has begun: changes go on. Whether any did. */
  goOn(): boolean {
    this.#spentMs = 0;
    if (this.#ongoing.length === 0) return false;
    while (this.#spentMs < TURN_MS) {
      const at = this.#nextTurn();
      const parked = this.#ongoing[at];
      if (parked?.change === undefined) break;
      this.#lastOwner = parked.owner;
      if (this.#hasLeft(parked, parked.change)) this.#ongoing.splice(at, 1);
    }
    return true;
  }

  /** The first one of another owner than the last; each of them has only one going on. */
  #nextTurn(): number {
    const at = this.#ongoing.findIndex(({ owner }) => owner !== this.#lastOwner);
    return Math.max(at, 0);
  }

  /** Makes a piece of a parked change; whether it goes on in this queue no more. */
  #hasLeft(parked: ParkedRequest, change: Change): boolean {
    if (parked.owner.isGone) return this.#end(parked, ECANCELED);
    try {
      if (!this.#makePiece(change)) return this.#writeElsewhere(parked, change);
    } catch (error) {
      return this.#end(parked, this.#failure(change, error));
    }
    return change.restBytes === 0 && this.#end(parked, 0);
  }

  #end(parked: ParkedRequest, errno: number): true {
    const payload = parked.change?.source;
    if (payload !== undefined) this.#payloads.give(payload);
    parked.error = errno;
    this.#context.onDone(parked);
    return true;
  }

  /** Has another thread write the next run of a parked change: of its payload, or of zeros. */
  #writeElsewhere(parked: ParkedRequest, change: Change): true {
    const { file, hostOffset, lengthBytes } = this.#context.access.place(change);
    if (file === undefined) throw new Error("nowhere to write");
    const { source, doneBytes } = change;
    const count = source === undefined ? Math.min(lengthBytes, ZEROS_BYTES) : lengthBytes;
    const address = source === undefined ? this.#zeroBytes().address : source.address + doneBytes;
    const began = performance.now();
    this.#context.lane.write({ file, hostOffset, address, lengthBytes: count }, {
      finished: (errno) => {
        this.#pace.tookElsewhere(performance.now() - began, count);
        if (errno === 0) {
          file.hasWritten(hostOffset, count);
          return this.#written(parked, change, count);
        }
        const error = new SystemError("write", errno, file.path);
        this.#end(parked, this.#failure(change, error));
      },
    });
    return true;
  }

  #written(parked: ParkedRequest, change: Change, count: number): void {
    change.doneBytes += count;
    if (change.restBytes === 0) this.#end(parked, 0);
    else if (parked.owner.isGone) this.#end(parked, ECANCELED);
    else this.#goOnWith(parked, change);
  }
}
