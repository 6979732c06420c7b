/**
 * What is loaded of the VMDK driver once there is a file to be opened or described.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { readSource } from "./source.ts";
import { obstacleIn } from "./write/obstacle.ts";

export { describeVmdk as info } from "./info.ts";
export { openVmdk as open } from "./open.ts";

/** @throws as {@link readSource} */
export function obstacleToWriting(file: ImageFile): string | undefined {
  return obstacleIn(readSource(file, { force: true }));
}
