/**
 * Answers to NBD_CMD_BLOCK_STATUS: which parts of a range are holes or zeros.
 *
 * @module
 */
import type { Run } from "../disk/runs.ts";
import type { ImageAccess } from "../disk/image_access.ts";
import {
  BASE_ALLOCATION,
  BlockState,
  CHUNK,
  CHUNK_BLOCK_STATUS,
  ChunkType,
  CommandFlag,
  DESCRIPTOR,
} from "./protocol.ts";
import { chunk } from "./replies.ts";
import type { Request } from "./request.ts";

/** Most descriptors of one reply. */
const MAX_DESCRIPTORS = 1024;
/**
 * Most runs looked at for one reply, so that nobody else waits long: a reply may tell of less than
 * was asked for, and the client asks again.
 */
const MAX_STEPS = 2048;

/** The longest reply there can be. */
export const BLOCK_STATUS_BYTES: number = CHUNK.size + CHUNK_BLOCK_STATUS.size +
  MAX_DESCRIPTORS * DESCRIPTOR.size;

/** Finds out and writes down the states of ranges. */
export class BlockStatus {
  readonly #access: ImageAccess;
  readonly #run: Run;
  #descriptors = 0;
  #lastState = -1;
  #lastBytes = 0;

  /** @param run its attempt says whether finding out may wait, and then what came in its way */
  constructor(access: ImageAccess, run: Run) {
    this.#access = access;
    this.#run = run;
  }

  /**
   * Writes the reply to `request`, whose range lies inside the disk and is not empty.
   *
   * @returns its size, or 0 if not even the beginning is known without waiting for a disk
   * @throws {ImageFormatError} if the image is damaged at the beginning of the range
   */
  reply(view: DataView, place: number, request: Request): number {
    const payload = place + CHUNK.size;
    view.setUint32(payload + CHUNK_BLOCK_STATUS.context, BASE_ALLOCATION.id);
    const descriptors = payload + CHUNK_BLOCK_STATUS.size;
    if (!this.#describe(view, descriptors, request)) return 0;
    const payloadBytes = CHUNK_BLOCK_STATUS.size + this.#descriptors * DESCRIPTOR.size;
    return chunk(view, place, request, ChunkType.BlockStatus, payloadBytes);
  }

  /** Writes descriptors from `place` on; false if there is none to write yet. */
  #describe(view: DataView, place: number, request: Request): boolean {
    const limit = (request.flags & CommandFlag.RequestOne) !== 0 ? 1 : MAX_DESCRIPTORS;
    this.#descriptors = 0;
    this.#lastState = -1;
    let done = 0;
    for (let step = 0; step < MAX_STEPS && done < request.length; step++) {
      if (!this.#find(request.offset + done, request.length - done)) break;
      if (!this.#add(view, place, limit)) break;
      done += this.#run.lengthBytes;
    }
    return done > 0;
  }

  /** Damage is only told when it is met at the beginning: what lies before it is good. */
  #find(offset: number, lengthBytes: number): boolean {
    if (this.#descriptors === 0) return this.#access.findRun(offset, lengthBytes, this.#run);
    try {
      return this.#access.findRun(offset, lengthBytes, this.#run);
    } catch {
      return false;
    }
  }

  /** Adds the run to the last descriptor, or as a new one; false if there is no room. */
  #add(view: DataView, place: number, limit: number): boolean {
    const { isData, isZero, lengthBytes } = this.#run;
    const state = (isData ? 0 : BlockState.Hole) | (isZero ? BlockState.Zero : 0);
    if (state !== this.#lastState) {
      if (this.#descriptors === limit) return false;
      this.#descriptors++;
      this.#lastState = state;
      this.#lastBytes = 0;
    }
    this.#lastBytes += lengthBytes;
    const at = place + (this.#descriptors - 1) * DESCRIPTOR.size;
    view.setUint32(at + DESCRIPTOR.length, this.#lastBytes);
    view.setUint32(at + DESCRIPTOR.state, state);
    return true;
  }
}
