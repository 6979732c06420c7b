/**
 * What the virtual disk is called in its file system, and so, by `losetup -l`, the image.
 *
 * @module
 */

/** sysfs tells no longer path of a loop device's file: a page, with some room to spare. */
const MAX_PATH_BYTES = 4000;

/**
 * Path of the disk in the file system: the image's own, or as much of its end as the kernel can tell.
 *
 * @param image absolute path, without empty, `.` or `..` parts
 */
export function diskPath(image: string): string {
  const bytesOf = (path: string): number => new TextEncoder().encode(path).length;
  let path = image;
  while (bytesOf(path) > MAX_PATH_BYTES) path = path.slice(path.indexOf("/", 1));
  return path;
}
