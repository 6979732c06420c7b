/**
 * Sparse bundles of macOS on disk (sparsebundlefs, libmodi). The file of an image is its property list.
 *
 *     disk.sparsebundle/
 *         Info.plist     band-size, size
 *         Info.bckup     the same once more
 *         token          empty, or what an encrypted disk is unlocked by
 *         bands/
 *             0          bytes 0 up to band-size of the disk
 *             1          the next ones
 *             1f         those from 31 * band-size on
 *
 * Bands are called by their numbers, hexadecimal. Those that have never been written to are not there;
 * what a shorter one lacks reads as zeros.
 *
 * @module
 */

export const BANDS_FOLDER = "bands";
export const TOKEN = "token";
/** Keys of the property list, and what the one for the type has. */
export const Key = { type: "diskimage-bundle-type", bandBytes: "band-size", size: "size" } as const;
export const TYPE = "com.apple.diskimage.sparsebundle";

export const SECTOR_BYTES = 512;
/** hdiutil makes bands of 8 MiB, and of up to 8 GiB for those who ask for it. */
export const MAX_BAND_BYTES: number = 2 ** 40;
/** hdiutil's have less than 1 KiB. */
export const MAX_LIST_BYTES: number = 64 * 1024;
/** As hdiutil writes them: without zeros in front. */
export const BAND_NAME = /^(?:0|[1-9a-f][\da-f]{0,12})$/;
