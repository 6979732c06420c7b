/**
 * Damage of every kind that a check tells apart, done to images on purpose.
 *
 * @module
 */
import { COPIED, type ImageBytes } from "../write/image_bytes.ts";

const CORRUPT_AND_DIRTY = 3n;
const INCOMPATIBLE_OFFSET = 72;
const OFFSET = 0x00ff_ffff_ffff_fe00n;

function entry(image: ImageBytes, guestCluster: number): bigint {
  return image.view.getBigUint64(image.entryAt(guestCluster));
}

/** Where the cluster of a guest is in the file; it has to be a normal one. */
function placeOf(image: ImageBytes, guestCluster: number): number {
  return Number(entry(image, guestCluster) & OFFSET);
}

/** Has a guest's cluster be nowhere. */
function drop(image: ImageBytes, guestCluster: number): void {
  image.setEntry(guestCluster, 0n);
  if (image.isExtended) image.view.setBigUint64(image.entryAt(guestCluster) + 8, 0n);
}

/** Of images whose first clusters are normal ones, and whose counts have 8 or 16 bits. */
export const DAMAGES: Readonly<Record<string, (image: ImageBytes) => void>> = {
  "clusters that nothing refers to": (image) => {
    for (const guest of [0, 3, 5]) drop(image, guest);
  },
  "a count that is too high": (image) => image.setCount(placeOf(image, 1), 3),
  "a count that is too low": (image) => image.setCount(placeOf(image, 1), 0),
  "a cluster that is two guests'": (image) => image.setEntry(0, entry(image, 1)),
  "a flag that is not set": (image) => image.setEntry(2, entry(image, 2) & ~COPIED),
  "a flag of a table that is not set": ({ view, l1Offset }) =>
    view.setBigUint64(l1Offset, view.getBigUint64(l1Offset) & ~COPIED),
  "a cluster where the L1 table is": (image) => image.setEntry(0, BigInt(image.l1Offset) | COPIED),
  "a cluster where the refcount table is": (image) =>
    image.setEntry(0, BigInt(image.refcountTableOffset) | COPIED),
  "a cluster where an L2 table is": (image) =>
    image.setEntry(0, BigInt(image.target(image.l1Offset)) | COPIED),
  "an L1 entry of nothing but flags": ({ view, l1Offset }) => {
    const at = l1Offset + (view.getUint32(36) - 1) * 8;
    if (view.getBigUint64(at) === 0n) view.setBigUint64(at, COPIED);
  },
  "a place behind the end of the file": (image) =>
    image.setEntry(6, BigInt(image.clusterBytes) << 20n | COPIED),
  "all at once": (image) => {
    image.setCount(placeOf(image, 1), 5);
    image.setCount(placeOf(image, 2), 0);
    image.setEntry(3, entry(image, 4));
    drop(image, 5);
    if (image.view.getUint32(4) < 3) return;
    const bits = image.view.getBigUint64(INCOMPATIBLE_OFFSET);
    image.view.setBigUint64(INCOMPATIBLE_OFFSET, bits | CORRUPT_AND_DIRTY);
  },
  // Last, for without a block there are no counts that could be changed.
  "a refcount block that is elsewhere": ({ view, refcountTableOffset, clusterBytes }) =>
    view.setBigUint64(refcountTableOffset + 8, BigInt(clusterBytes) << 20n),
  "no refcount block": ({ view, refcountTableOffset }) =>
    view.setBigUint64(refcountTableOffset, 0n),
};
