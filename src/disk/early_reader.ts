/**
 * Looking into a disk before it is served: some of it may still be to come.
 *
 * @module
 */
import { ImageFormatError } from "../image/errors.ts";
import { SystemError } from "../sys/errno.ts";
import { IoBuffer } from "../sys/memory.ts";
import type { ImageAccess } from "./image_access.ts";
import { ReadRequest } from "./reader.ts";
import type { Window } from "./window.ts";

const NOTHING = new Uint8Array(0);

/** What reads a part of what `window` shows of a disk: short at its end, nothing of what cannot be read. */
export function earlyReader(
  access: ImageAccess,
  { startBytes, sizeBytes }: Window,
): (offset: number, lengthBytes: number) => Uint8Array {
  const request = new ReadRequest();
  const patience = new Patience();
  return (offset, lengthBytes) => {
    const countBytes = Math.max(0, Math.min(lengthBytes, sizeBytes - offset));
    if (countBytes === 0) return NOTHING;
    const buffer = new IoBuffer(countBytes);
    request.ask(startBytes + offset, countBytes).into(buffer, 0);
    try {
      return patience.until(() => access.read(request)) ? buffer.bytes : NOTHING;
    } catch (error) {
      if (error instanceof ImageFormatError || error instanceof SystemError) return NOTHING;
      throw error;
    }
  };
}

/** Where the content of a disk is still to come, its start comes soon; all that lies far behind does not. */
const PAUSE_MS = 20;
const MOST_PAUSES = 100;

/** Waits for something, but not for too long altogether. */
class Patience {
  readonly #never = new Int32Array(new SharedArrayBuffer(4));
  #pauses = 0;

  /** @returns false if it has not come */
  until(isThere: () => boolean): boolean {
    while (!isThere()) {
      if (this.#pauses++ >= MOST_PAUSES) return false;
      Atomics.wait(this.#never, 0, 0, PAUSE_MS);
    }
    return true;
  }
}
