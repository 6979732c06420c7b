/**
 * Clusters behind the end of the file that count as used: there is nothing, until the file gets so long;
 * then they are leaked. (A writer leaves them that is killed once it has cut the file off, and before it
 * has written the counts. qemu does not look at them.)
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { countsOf } from "../write/counts.ts";
import type { Survey } from "./survey.ts";

/**
 * Has none of them count as used, of an image in which nothing leads there, and each refcount block is
 * where only that is.
 *
 * @returns how many there were
 * @throws {SystemError} if it cannot be written
 */
export function freeBehindEnd(file: ImageFile, { header, references, stored }: Survey): number {
  const { clusterBytes, refcounts } = header;
  const { clustersPerBlock, tableEntries } = stored;
  const { endCluster } = references;
  const encoding = countsOf(refcounts.order);
  const block = new IoBuffer(clusterBytes);
  let freed = 0;
  for (let at = Math.floor(endCluster / clustersPerBlock); at < tableEntries; at++) {
    const hostOffset = stored.blockOffset(at);
    if (hostOffset === 0) continue;
    file.read(block, 0, hostOffset, clusterBytes);
    const before = freed;
    for (let n = Math.max(0, endCluster - at * clustersPerBlock); n < clustersPerBlock; n++) {
      if (encoding.get(block.view, n) === 0) continue;
      encoding.set(block.view, n, 0);
      freed++;
    }
    if (freed > before) file.write(block, 0, hostOffset, clusterBytes);
  }
  if (freed > 0) file.sync();
  return freed;
}
