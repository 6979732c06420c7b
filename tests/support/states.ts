/**
 * States of daemons.
 *
 * @module
 */
import type { AttachState } from "../../src/daemon/state.ts";

/** The state of nobody's daemon, but for `fields`. */
export function attachState(fields: Partial<AttachState> = {}): AttachState {
  return {
    version: 1,
    pid: 2 ** 22 + 1,
    startTime: 0,
    device: "/dev/loop0",
    transport: "fuse",
    image: "/images/disk",
    imageDevice: [8, 1],
    imageInode: 1234,
    format: "RAW",
    readOnly: false,
    sizeBytes: 512,
    offsetBytes: 0,
    sizeLimitBytes: 0,
    ...fields,
  };
}
