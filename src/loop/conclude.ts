/**
 * The orderly end of an image that was written to.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { flushAtEnd } from "./flush_at_end.ts";
import { SystemError } from "../sys/errno.ts";
import type { SharedState } from "./shared_state.ts";

/** So often it is tried: what has failed for once may have found room since. */
const MOST_TRIES = 3;

/**
 * Makes everything durable, frees what nothing refers to any more, and then, if that has gone well, has
 * the driver say so in the image. What fails is tried again, but for a sync. An image of which something
 * was lost is left as one that was not closed.
 *
 * @param sync as for {@link flushAtEnd}
 * @returns whether everything that has ever been written is durable
 * @throws {SystemError | ImageFormatError} if the driver cannot do it; the image counts as not closed
 */
export function concludeImage(
  access: Pick<ImageAccess, "image" | "round">,
  shared: SharedState,
  sync?: (file: ImageFile) => number,
): boolean {
  const isLost = (): boolean => shared.flushFailed || access.round?.isOver === true;
  for (let tries = 1;; tries++) {
    const isLast = tries === MOST_TRIES;
    try {
      if (tryToConclude(access, shared, sync)) return true;
      if (isLast || isLost()) return false;
    } catch (error) {
      if (isLast || isLost() || !(error instanceof SystemError)) throw error;
    }
  }
}

/** As {@link concludeImage}, once: whatever it has come to, it can begin anew. */
function tryToConclude(
  { image: { writing }, round }: Pick<ImageAccess, "image" | "round">,
  shared: SharedState,
  sync?: (file: ImageFile) => number,
): boolean {
  const flush = (): boolean => round === undefined || flushAtEnd(round, shared, sync);
  if (!flush()) return false;
  while (writing?.tables?.freeSome());
  if (writing?.tables?.hasUpdates && !flush()) return false;
  if (writing?.conclude === undefined) return true;
  writing.conclude();
  return flush();
}

/**
 * The same after a change that has failed, as by a full disk: what was taken for it is given back. Where
 * that fails, too, the image counts as not closed.
 */
export function concludeAfterFailure(
  access: Pick<ImageAccess, "image" | "round">,
  shared: SharedState,
): void {
  try {
    concludeImage(access, shared);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}
