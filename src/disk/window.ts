/**
 * The part of a virtual disk that an attached device shows: --offset and --sizelimit.
 *
 * @module
 */

/** A range of the virtual disk, in bytes. */
export interface Window {
  readonly startBytes: number;
  readonly sizeBytes: number;
}

/** What a user has said of the window, in bytes. */
export interface WindowLimits {
  readonly offsetBytes: number;
  /** 0 for no limit; a limit past the end counts as none, as in losetup(8). */
  readonly sizeLimitBytes: number;
}

/**
 * The window that `offsetBytes` and `sizeLimitBytes` leave of a disk.
 *
 * @throws {RangeError} if the offset lies at or past the end of the disk
 */
export function windowOf(diskBytes: number, limits: WindowLimits): Window {
  const { offsetBytes, sizeLimitBytes } = limits;
  if (offsetBytes > 0 && offsetBytes >= diskBytes) {
    throw new RangeError(
      `offset ${offsetBytes} is not inside the virtual disk of ${diskBytes} bytes`,
    );
  }
  const rest = diskBytes - offsetBytes;
  const sizeBytes = sizeLimitBytes > 0 ? Math.min(rest, sizeLimitBytes) : rest;
  return { startBytes: offsetBytes, sizeBytes };
}

/** Where the window ends whatever the disk has, in bytes; undefined if it ends with the disk. */
export function windowEnd({ offsetBytes, sizeLimitBytes }: WindowLimits): number | undefined {
  return sizeLimitBytes > 0 ? offsetBytes + sizeLimitBytes : undefined;
}
