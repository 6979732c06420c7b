/**
 * The devices that show what a daemon serves of a view: see {@link ServedLayout}.
 *
 * @module
 */

/** Where the disk, or a part of it, begins in its device. */
export const SERVED_LEAD_BYTES = 4096;

/** A part of the disk that a device of its own shows. */
export interface ServedWindow {
  /** Where its device begins in the served file. */
  readonly startBytes: number;
  /** Size of that device. */
  readonly sizeBytes: number;
}

/** Of the disk, as far as one device shows it: more blocks than this have no numbers. */
export function windowBytes(blockBits: number): number {
  return 2 ** (31 + blockBits);
}

/** What is served of a disk: up to a whole block, of whatever size a view's are. */
export function servedBytes(diskBytes: number): number {
  return Math.ceil(diskBytes / SERVED_LEAD_BYTES) * SERVED_LEAD_BYTES;
}

/** The devices that a disk needs of which each shows at most `mostBytes`. */
export function servedWindows(
  diskBytes: number,
  { leadBytes, mostBytes }: { readonly leadBytes: number; readonly mostBytes: number },
): ServedWindow[] {
  const whole = servedBytes(diskBytes);
  const windows: ServedWindow[] = [];
  for (let at = 0; at < whole; at += mostBytes) {
    windows.push({
      startBytes: leadBytes - SERVED_LEAD_BYTES + at,
      sizeBytes: SERVED_LEAD_BYTES + Math.min(mostBytes, whole - at),
    });
  }
  return windows;
}
