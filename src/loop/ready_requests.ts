/**
 * Parked requests whose turn has come.
 *
 * @module
 */
import type { ParkedRequest } from "./parked_request.ts";

/** Those of one thread. */
export class ReadyRequests {
  #ready: ParkedRequest[] = [];
  #hasNews = false;

  /** Has a request resumed in the next turn; bound, for it is what requests call when their wait ends. */
  readonly add = (parked: ParkedRequest): void => {
    this.#ready.push(parked);
    this.#hasNews = true;
  };

  /** Whether some of them have not been tried since they came. */
  get hasNews(): boolean {
    return this.#hasNews;
  }

  /** Has their owners go on with them; whether any did. Those that have no room for it remain. */
  resume(): boolean {
    this.#hasNews = false;
    if (this.#ready.length === 0) return false;
    const ready = this.#ready;
    this.#ready = [];
    let any = false;
    for (const parked of ready) {
      // Resuming one may make others ready, which then wait for the next call.
      if (parked.owner.resume(parked)) any = true;
      else this.#ready.push(parked);
    }
    return any;
  }
}
