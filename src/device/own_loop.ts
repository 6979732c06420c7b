/**
 * Loop devices of ours: over a FUSE file, or on top of an nbd device.
 *
 * @module
 */
import { detachLoop, setLoopCapacity } from "../kernel/loop.ts";
import { loopBackingPath, loopStatus } from "../kernel/loop_status.ts";
import { ENXIO, SystemError } from "../sys/errno.ts";
import { baseName } from "../sys/paths.ts";

/** Whether a loop device is attached to anything. */
export function isLoopAttached(device: string): boolean {
  return loopBackingPath(baseName(device)) !== undefined;
}

/** Detaches a loop device if it still is over `below`. */
export function detachLoopOver(below: string, device: string): void {
  if (loopBackingPath(baseName(device)) !== below) return;
  try {
    detachLoop(device);
  } catch (error) {
    if (!(error instanceof SystemError && error.errno === ENXIO)) throw error;
  }
}

/** Has a loop device take the size of what is below it. */
export function resizeLoop(device: string): void {
  // Kernels before 6.18 take the size they know: asking for the status makes them ask for it anew.
  loopStatus(device);
  setLoopCapacity(device);
}
