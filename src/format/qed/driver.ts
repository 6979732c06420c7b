/**
 * What is loaded of the QED driver once there is a file to be opened or described.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { readHeader } from "./header.ts";
import { obstacleIn } from "./writing.ts";

export { checkQed as check } from "./check/check.ts";
export { describeQed as info } from "./info.ts";
export { openQed as open } from "./open.ts";

/** @throws as {@link readHeader} */
export function obstacleToWriting(file: ImageFile): string | undefined {
  return obstacleIn(readHeader(file));
}
