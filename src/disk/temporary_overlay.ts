/**
 * Layers that are thrown away: in memory, or in a file without a name.
 *
 * @module
 */
import { createQcow } from "../format/qcow/create.ts";
import type { Image } from "../image/driver.ts";
import { memoryFile } from "../kernel/memory_file.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { TemporaryFile, type TemporaryOptions } from "../storage/temporary_file.ts";
import { reasonOf } from "../sys/reason.ts";
import { unnamedFile } from "../sys/unnamed_file.ts";
import type { Overlay } from "./overlay.ts";
import type { TemporaryOverlay } from "./request.ts";

/**
 * Clusters of 128 KiB in parts of 4 KiB: what is written in pages is not copied for that, and takes no
 * more memory than it has bytes.
 */
const CLUSTER_BITS = 17;
/** For disks that would have too many of them. */
const LARGEST_CLUSTER_BITS = 21;
const MOST_BYTES = 2 ** 52;

const ELSEWHERE = " ($TMPDIR names another folder, --overlay=ram needs none)";

/**
 * Makes the file for such a layer.
 *
 * @throws {Error} if it cannot be made: why, and where
 */
export function temporaryOverlay(
  { folder, limitBytes = Infinity }: TemporaryOverlay,
  options: TemporaryOptions = {},
): Overlay {
  const name = `the overlay in ${folder ?? "memory"}`;
  const advice = folder === undefined ? "" : ELSEWHERE;
  try {
    const fd = folder === undefined
      ? memoryFile("tslosetup overlay", new Uint8Array(0))
      : unnamedFile(folder);
    const file = new TemporaryFile(fd, name, limitBytes, options);
    return { file, cover: (image) => coverWith(file, image), advice };
  } catch (error) {
    throw new Error(`${name}: ${reasonOf(error)}${advice}`, { cause: error });
  }
}

function coverWith(file: ImageFile, { sizeBytes }: Image): void {
  createQcow(file, {
    sizeBytes,
    clusterBits: sizeBytes <= MOST_BYTES ? CLUSTER_BITS : LARGEST_CLUSTER_BITS,
    extendedL2: true,
    // Nobody looks for it by name: it is open.
    backing: { name: "image", format: "raw" },
  });
}
