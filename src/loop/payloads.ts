/**
 * Buffers for the payload of writes that other threads make: a bounded amount of memory, which is used
 * again and again.
 *
 * @module
 */
import { IoBuffer } from "../sys/memory.ts";

const MIB = 1024 * 1024;
/** All of them together; a single payload may be longer if it is alone. */
const MOST_BYTES = 16 * MIB;
const SMALLEST_BYTES = 64 * 1024;

/** The payloads of one thread. */
export class Payloads {
  #usedBytes = 0;
  /** Buffers nobody uses. Their sizes are powers of two. */
  #free: IoBuffer[] = [];
  #wasRefused = false;
  #freed = false;

  /** A buffer for `lengthBytes`; undefined if there is no room now: to be asked again. */
  take(lengthBytes: number): IoBuffer | undefined {
    const wanted = Math.max(SMALLEST_BYTES, 2 ** Math.ceil(Math.log2(lengthBytes)));
    if (this.#usedBytes > 0 && this.#usedBytes + wanted > MOST_BYTES) {
      this.#wasRefused = true;
      return undefined;
    }
    const at = this.#free.findIndex(({ size }) => size === wanted);
    const buffer = at < 0 ? IoBuffer.ofPages(wanted) : this.#free.splice(at, 1)[0];
    if (buffer !== undefined) this.#usedBytes += buffer.size;
    return buffer;
  }

  /** Gives a buffer back that is not used any more. */
  give(buffer: IoBuffer): void {
    this.#usedBytes -= buffer.size;
    const kept = this.#free.reduce((sum, { size }) => sum + size, 0);
    if (kept + buffer.size <= MOST_BYTES) this.#free.push(buffer);
    else buffer.releasePages();
    this.#freed ||= this.#wasRefused;
  }

  /** Whether those who were refused should try again; asking takes it back. */
  takeFreed(): boolean {
    const freed = this.#freed;
    if (freed) this.#wasRefused = false;
    this.#freed = false;
    return freed;
  }

  /** Gives the memory back of what nobody uses. */
  releaseMemory(): void {
    for (const buffer of this.#free) buffer.releasePages();
    this.#free = [];
  }
}
