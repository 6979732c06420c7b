/**
 * The orderly end of an image that was written to.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { flushAtEnd } from "./flush_at_end.ts";
import type { SharedState } from "./shared_state.ts";

/**
 * Makes everything durable, frees what nothing refers to any more, and then, if that has gone well, has
 * the driver say so in the image. An image of which something was lost is left as one that was not closed.
 *
 * @param sync as for {@link flushAtEnd}
 * @returns whether everything that has ever been written is durable
 * @throws {SystemError | ImageFormatError} if the driver cannot do it; the image counts as not closed
 */
export function concludeImage(
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
