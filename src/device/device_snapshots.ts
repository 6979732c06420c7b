/**
 * Changing the internal snapshots of an image that is attached, while it is in use: who has the image
 * open does it, between two requests. A file system on it is frozen meanwhile, so that the snapshot has
 * it as after unmounting it.
 *
 * @module
 */
import { askDaemon } from "../daemon/control/ask.ts";
import type { AttachState, StateStore } from "../daemon/state.ts";
import type { SnapshotChange } from "../image/snapshot_change.ts";
import { nodePath } from "../kernel/block_devices.ts";
import { nbdName } from "../kernel/nbd_devices.ts";
import { complain } from "../sys/console.ts";
import { checked, ifPossible } from "../sys/errno.ts";
import { O_RDONLY, openFile } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { resolveDevice, stateOn } from "./device_names.ts";
import { FrozenMounts } from "./frozen_mounts.ts";
import { lastingHindrance, refuseKilled, refuseStandstill } from "./stuck_daemon.ts";

/** So long a daemon may take to write everything back first. */
const PATIENCE_MS = 10 * 60_000;

/**
 * Changes those of the image that `name` shows, if that is a device, or a socket, that is attached.
 *
 * @returns false if it is none
 * @throws {Error} if that cannot be done
 */
export function changeDeviceSnapshots(
  name: string,
  change: SnapshotChange,
  states: StateStore,
): boolean {
  const state = stateOn(states.all(), resolveDevice(name));
  if (state === undefined) return false;
  refuse(state, change);
  refuseKilled(state);
  refuseStandstill(state, { hindrance: lastingHindrance(state) });
  // What a file system has is no other when a snapshot is deleted.
  using frozen = change.action === "create" ? bringToRest(devicesOf(state)) : undefined;
  for (const mountPoint of frozen?.unable ?? []) {
    complain(
      `${mountPoint}: the file system cannot be frozen: the snapshot has it as a crash would leave it`,
    );
  }
  askDaemon(state, { kind: "snapshot", change }, PATIENCE_MS);
  return true;
}

/** What can be told without the daemon, so that nothing is frozen in vain. */
function refuse(state: AttachState, { action }: SnapshotChange): void {
  if (action === "apply") {
    throw new Error(`it is in use: detach it first, and name its image (${imageOf(state)})`);
  }
  if (state.readOnly) throw new Error("the device is read-only");
  if (state.hasOverlay === true && state.overlay === undefined) {
    throw new Error("its image is only read: what is written goes to an overlay");
  }
}

/** The file that is written to. */
function imageOf({ image, overlay }: AttachState): string {
  return overlay?.image ?? image;
}

/**
 * Has all that was written to the devices with these paths reach the image, and freezes what is mounted
 * from them.
 */
function bringToRest(paths: readonly string[]): FrozenMounts | undefined {
  for (const path of paths) writeBack(path);
  return FrozenMounts.on(paths);
}

/** What programs have written to a device that they keep open is in the kernel's memory only. */
function writeBack(path: string): void {
  using fd = ifPossible(() => openFile(path, O_RDONLY));
  if (fd !== undefined) checked(libc().fsync(fd.number), "fsync", path);
}

/** All block devices that show the disk; each before what lies below it. */
function devicesOf({ device, nbdIndex, transport }: AttachState): string[] {
  const nbd = nbdIndex === undefined ? [] : [nodePath(nbdName(nbdIndex))];
  return transport === "socket" ? [] : [...new Set([device, ...nbd])];
}
