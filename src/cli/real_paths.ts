/**
 * Paths of a command line as requests for images have them: without links, for what a name in an image
 * leads to is compared to them.
 *
 * @module
 */
import type { ImageRequest } from "../disk/request.ts";
import { realPath } from "../sys/paths.ts";

/** @throws {SystemError} as realpath(3), where one leads to nothing */
export function withRealPaths(request: ImageRequest): ImageRequest {
  const { allowBacking, parents } = request;
  return {
    ...request,
    ...(allowBacking === undefined ? {} : { allowBacking: allowBacking.map(realPath) }),
    ...(parents === undefined ? {} : { parents: parents.map(realPath) }),
  };
}
