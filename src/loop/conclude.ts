/**
 * The orderly end of an image that was written to.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { syncHere } from "../storage/slow_lane.ts";
import { flushAtEnd } from "./flush_queue.ts";
import type { SharedState } from "./shared_state.ts";

/**
 * Makes everything durable, and then, if that has gone well, has the driver say so in the image. An
 * image of which something was lost is left as one that was not closed.
 *
 * @param sync makes a file durable; the error number, or 0
 * @returns whether everything that has ever been written is durable
 * @throws {SystemError} if the driver cannot write; the image counts as not closed
 */
export function concludeImage(
  { image, filesToSync }: Pick<ImageAccess, "image" | "filesToSync">,
  shared: SharedState,
  sync: (file: ImageFile) => number = syncHere,
): boolean {
  const flush = (): boolean => flushAtEnd(filesToSync, shared, sync);
  if (!flush()) return false;
  if (image.writing?.conclude === undefined) return true;
  image.writing.conclude();
  return flush();
}
