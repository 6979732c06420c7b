/**
 * Lowering counts where they are: at any moment, some clusters count as used that are not.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { SECTOR_BYTES } from "../layout.ts";
import { countsOf } from "../write/counts.ts";
import type { RightCounts } from "./right_counts.ts";
import type { Survey } from "./survey.ts";

/** Frees what counts as used too often; throws as {@link ImageFile.write}. */
export function lowerCounts(file: ImageFile, survey: Survey, right: RightCounts): void {
  const { header, references, stored } = survey;
  const encoding = countsOf(header.refcounts.order);
  const sector = new IoBuffer(SECTOR_BYTES);
  const perSector = SECTOR_BYTES * 8 / encoding.bits;
  let known = -1;
  let isChanged = false;
  const write = (): void => {
    if (isChanged) file.write(sector, 0, known, SECTOR_BYTES);
    isChanged = false;
  };
  for (const cluster of stored.counts.clusters()) {
    const count = right.get(cluster);
    if (cluster >= references.endCluster || stored.get(cluster) <= count) continue;
    const hostOffset = sectorOf(cluster, perSector, survey);
    if (hostOffset !== known) {
      write();
      known = hostOffset;
      file.read(sector, 0, hostOffset, SECTOR_BYTES);
    }
    encoding.set(sector.view, cluster % perSector, count);
    isChanged = true;
  }
  write();
  file.sync();
}

/** Where the sector that describes a cluster is in the file; of a block that there is. */
function sectorOf(cluster: number, perSector: number, { stored }: Survey): number {
  const { clustersPerBlock } = stored;
  const block = stored.blockOffset(Math.floor(cluster / clustersPerBlock));
  return block + Math.floor(cluster % clustersPerBlock / perSector) * SECTOR_BYTES;
}
