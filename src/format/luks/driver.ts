/**
 * What is loaded of the LUKS driver once there is a file to be opened or described.
 *
 * @module
 */
import type { Image, OpenOptions } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { LuksImage } from "./image.ts";

export { describe as info } from "./info.ts";

/** @throws as {@link LuksImage} */
export function open(file: ImageFile, options: OpenOptions): Image {
  return new LuksImage(file, options);
}
