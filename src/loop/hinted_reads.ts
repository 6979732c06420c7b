/**
 * Requests that wait for ranges of a file which the kernel has been told to read ahead. While the thread
 * spins, it looks itself whether they have arrived: so no other thread has to be woken up to wait for
 * them, nor to wake this one. Those that are left when the thread goes to sleep are given to the slow
 * lane, which can wake it.
 *
 * @module
 */
import type { ParkedRequest } from "./parked_request.ts";

/** How many wait so at once: no more than a disk's queue takes without making the thread wait. */
const MAX_HINTED = 64;
/** How many of the oldest are looked at in a turn: disks answer more or less in order. */
const LOOKED_AT = 4;
/** Turns of looking at the oldest before something else is tried: the read may have failed. */
const MAX_TURNS = 2000;

export class HintedReads {
  #waiting: ParkedRequest[] = [];
  #turnsOfOldest = 0;

  get busy(): boolean {
    return this.#waiting.length > 0;
  }

  /** Has the range `parked` waits for read ahead; false if it has to wait in another way. */
  add(parked: ParkedRequest): boolean {
    const { range: { file, hostOffset, hostBytes }, isStuck } = parked;
    if (file === undefined || isStuck || this.#waiting.length === MAX_HINTED) return false;
    if (!file.hint(hostOffset, hostBytes)) return false;
    this.#waiting.push(parked);
    return true;
  }

  /** Tells the requests whose ranges have arrived. */
  reap(): void {
    const oldest = this.#waiting[0];
    let at = 0;
    for (let looks = 0; looks < LOOKED_AT; looks++) {
      const parked = this.#waiting[at];
      if (parked === undefined) break;
      const { file, hostOffset, hostBytes } = parked.range;
      if (file?.isCached(hostOffset, hostBytes) === false) {
        at++;
        continue;
      }
      this.#waiting.splice(at, 1);
      parked.finished(0);
    }
    this.#turnsOfOldest = oldest === this.#waiting[0] ? this.#turnsOfOldest + 1 : 0;
  }

  /** The one that has waited too long, to wait in another way. */
  takeOverdue(): ParkedRequest | undefined {
    if (this.#turnsOfOldest < MAX_TURNS) return undefined;
    this.#turnsOfOldest = 0;
    return this.#waiting.shift();
  }

  /** All of them, for the thread is to sleep. */
  takeAll(): readonly ParkedRequest[] {
    this.#turnsOfOldest = 0;
    return this.#waiting.splice(0);
  }
}
