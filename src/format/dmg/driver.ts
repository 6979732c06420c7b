/**
 * What is loaded of the DMG driver once there is a file to be opened or described.
 *
 * @module
 */
import type { Image, OpenOptions } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { openDmg } from "./open.ts";

export { contentSteps } from "./sums.ts";
export { describeDmg as info } from "./open.ts";

/** @throws as {@link openDmg} */
export function open(file: ImageFile, { related }: OpenOptions): Image {
  return openDmg(file, related);
}
