/**
 * How much space an image takes, in all the files that its disk lies in.
 *
 * @module
 */
import { openFileStatus } from "../sys/files.ts";
import { Chain, type ChainOptions, type Layer } from "./chain.ts";

/**
 * Space that the file system has given to an image and the pieces of its disk, in bytes; neither to what
 * is below it nor to its data file.
 *
 * @throws {RelatedFileError} if a piece cannot be opened
 * @throws {Error} as {@link FormatDriver.open}
 */
export function allocatedBytesOf(layer: Layer, options: ChainOptions): number {
  if (layer.driver.hasPieces !== true) return allocatedBytesIn(layer);
  const request = { ...options.request, noBacking: true };
  using alone = new Chain(layer, { ...options, request, mapOnly: true });
  using _image = layer.driver.open(layer.file, { ...alone.openOptions, force: true });
  return alone.files.reduce((sum, file) => sum + allocatedBytesIn({ file }), 0);
}

function allocatedBytesIn({ file }: Pick<Layer, "file">): number {
  return openFileStatus(file.fd).allocatedBytes;
}
