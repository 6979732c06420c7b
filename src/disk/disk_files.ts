/**
 * The files that the disk of an image lies in.
 *
 * @module
 */
import type { ImageFile } from "../storage/image_file.ts";
import { Chain, type ChainOptions, type Layer } from "./chain.ts";

/**
 * What `use` makes of them: the image's own file and its pieces, which are open as long as it looks at them;
 * neither what is below the image nor its data file.
 *
 * @throws {RelatedFileError} if a piece cannot be opened
 * @throws {Error} as {@link FormatDriver.open}
 */
export function filesOf<T>(
  layer: Layer,
  options: ChainOptions,
  use: (files: readonly ImageFile[]) => T,
): T {
  const { driver, file } = layer;
  if (driver.hasPieces !== true) return use([file]);
  const request = { ...options.request, noBacking: true };
  using alone = new Chain(layer, { ...options, request, mapOnly: true });
  using _image = driver.open(file, { ...alone.openOptions, force: true });
  return use(alone.files);
}
