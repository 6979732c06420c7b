/**
 * The one place where requests change the disk.
 *
 *     change ── quick? ── made at once ──────────────────────────────────────────────> answered
 *       │                                                                                ^
 *       ├─ something has to be read first: parked with its payload ── begun anew ────────┤
 *       ├─ a write to slow files: parked with its payload ── slow lane ──────────────────┤
 *       └─ long zeros, a long discard: parked ── a piece each turn, or the slow lane ────┘
 *
 * So other requests never wait longer than one piece of a change takes. Changes of a client that has
 * gone are dropped. Where only one thread may change the disk, all writes are made here: nothing then is
 * under way while tables change, or while the rest of an encrypted sector is read.
 *
 * @module
 */
import { type Change, ChangeKind } from "../disk/change.ts";
import { ChangeStep } from "../disk/change_step.ts";
import type { ImageAccess } from "../disk/image_access.ts";
import type { SlowLane } from "../storage/slow_lane.ts";
import { ECANCELED, EOPNOTSUPP, SystemError } from "../sys/errno.ts";
import { IoBuffer } from "../sys/memory.ts";
import type { ParkedRequest, RequestOwner } from "./parked_request.ts";
import { Payloads } from "./payloads.ts";
import { PieceSize } from "./piece_size.ts";
import type { Waits } from "./waits.ts";
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

/** The file system cannot do it quickly, and only then it was to be done. */
class NotFastError extends Error {}

/** What changes need of their surroundings. */
export interface ChangesContext {
  readonly access: ImageAccess;
  readonly lane: SlowLane;
  /** Logs why a change has failed; returns its error number. */
  readonly failure: (change: Change, error: unknown) => number;
  readonly waits: Waits;
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
    const { access, waits } = this.#context;
    try {
      if (access.writers === "one") {
        waits.prepare(access.changeAttempt, change.isAlone ? "alone" : "among others");
      }
      while (change.restBytes > 0) {
        const count = this.#mayGoOn(change) ? this.#makePiece(change) : ChangeStep.Unable;
        if (count <= 0) return this.#park(change, owner, count);
      }
      return 0;
    } catch (error) {
      return this.#failure(change, error);
    }
  }

  #failure(change: Change, error: unknown): number {
    return error instanceof NotFastError ? EOPNOTSUPP : this.#context.failure(change, error);
  }

  #mayGoOn({ kind }: Change): boolean {
    return kind === ChangeKind.Write || this.#spentMs < TURN_MS;
  }

  /**
   * Makes the next piece of a change; its length, or else a {@link ChangeStep}: it is Unable if that had
   * better be left to another thread.
   */
  #makePiece(change: Change): number {
    const began = performance.now();
    const count = change.kind === ChangeKind.Write ? this.#write(change) : this.#clear(change);
    const ms = performance.now() - began;
    this.#spentMs += ms;
    if (count < 0) return count;
    change.doneBytes += count;
    if (change.kind === ChangeKind.Write) this.#pace.took(ms, count);
    else this.#pieces.took(ms, count);
    return count;
  }

  #write(change: Change): number {
    return this.#isForOthers ? ChangeStep.Unable : this.#context.access.write(change);
  }

  /** Whether writes are better left to other threads. */
  get #isForOthers(): boolean {
    return this.#pace.isSlow && this.#context.access.writers === "any";
  }

  /** Frees or clears a piece; as {@link Changes.#makePiece}. */
  #clear(change: Change): number {
    const { access } = this.#context;
    const cleared = access.clear(change, this.#pieces.bytes);
    if (cleared !== ChangeStep.Unable) return cleared;
    if (change.onlyIfFast) throw new NotFastError();
    return this.#isForOthers ? ChangeStep.Unable : this.#writeZeros(change);
  }

  #writeZeros(change: Change): number {
    const began = performance.now();
    const most = Math.min(ZEROS_BYTES, this.#pieces.bytes);
    const count = this.#context.access.writeZeros(change, this.#zeroBytes(), most);
    if (count > 0) this.#pace.took(performance.now() - began, count);
    return count;
  }

  #zeroBytes(): IoBuffer {
    return this.#zeros ??= IoBuffer.ofPages(ZEROS_BYTES);
  }

  /** @param step what kept it from being made at once */
  #park(change: Change, owner: RequestOwner, step: number): number {
    const { source, position, lengthBytes, kind } = change;
    let payload: IoBuffer | undefined;
    if (kind === ChangeKind.Write && source !== undefined) {
      payload = this.#payloads.take(lengthBytes);
      if (payload === undefined) return ChangeOutcome.NoRoom;
      payload.bytes.set(source.bytes.subarray(position, position + lengthBytes));
    }
    const parked = owner.park();
    parked.change = change.copy(payload);
    if (step === ChangeStep.Blocked) this.#wait(parked);
    else this.#goOnWith(parked, parked.change);
    return ChangeOutcome.Parked;
  }

  #goOnWith(parked: ParkedRequest, change: Change): void {
    if (change.kind === ChangeKind.Write) this.#writeElsewhere(parked, change);
    else this.#ongoing.push(parked);
  }

  /** Has a change that was blocked go on when there is what it needs. */
  #wait(parked: ParkedRequest): true {
    const { waits, access } = this.#context;
    parked.onReady = this.#goOnAgain;
    waits.add(parked, access.changeAttempt);
    return true;
  }

  readonly #goOnAgain = (parked: ParkedRequest): void => {
    const { change, error } = parked;
    if (error === 0 || change === undefined) this.#ongoing.push(parked);
    else {
      const { path } = this.#context.access;
      this.#end(parked, this.#failure(change, new SystemError("read", error, path)));
    }
  };

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
    const { access } = this.#context;
    if (parked.owner.isGone) return this.#end(parked, ECANCELED);
    try {
      if (access.writers === "one") this.#prepare(parked);
      const step = this.#makePiece(change);
      if (step === ChangeStep.Blocked) return this.#wait(parked);
      if (step === ChangeStep.Unable) return this.#writeElsewhere(parked, change);
    } catch (error) {
      return this.#end(parked, this.#failure(change, error));
    }
    return change.restBytes === 0 && this.#end(parked, 0);
  }

  #prepare(parked: ParkedRequest): void {
    const { access: { changeAttempt }, waits } = this.#context;
    if (parked.attempts === 0) waits.prepare(changeAttempt, "among others");
    else waits.prepareAgain(changeAttempt, parked);
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
        file.writeFailed(errno);
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
