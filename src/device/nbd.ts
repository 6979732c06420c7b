/**
 * The transport `nbd`: an nbd device, which may have a loop device on top of it.
 *
 * @module
 */
import type { AttachState } from "../daemon/state.ts";
import { diskAttribute, nodePath } from "../kernel/block_devices.ts";
import { openNode } from "../kernel/device_nodes.ts";
import { detachLoop, keepLoop } from "../kernel/loop.ts";
import { loopNumber } from "../kernel/loop_status.ts";
import { NbdControl } from "../kernel/nbd.ts";
import { nbdDevice, nbdName } from "../kernel/nbd_devices.ts";
import { backendOf } from "./backend.ts";
import { requireSysfs } from "../kernel/sysfs_disks.ts";
import { O_RDONLY } from "../sys/files.ts";
import type { DeviceOperations } from "./operations.ts";
import { reconnectNbd } from "./nbd_revival.ts";
import { detachLoopOver, isLoopAttached, resizeLoop } from "./own_loop.ts";
import { disconnectDead, isOwnNbd } from "./own_nbd.ts";

export const NBD: DeviceOperations = {
  isBlockDevice: true,
  failsWithoutDaemon: "all access",
  isAttached,
  requireSight,
  detach,
  needsWatcherToGo: (state) => !hasLoopOnTop(state),
  closeLast,
  keep,
  resize,
  isLeftOver: (state) => isOwnNbd(indexOf(state)),
  clear,
  reconnect: reconnectNbd,
  abort: () => {},
};

/** -1, which is no device's, in a state that somebody else has written. */
function indexOf({ nbdIndex = -1 }: AttachState): number {
  return nbdIndex;
}

function hasLoopOnTop({ device }: AttachState): boolean {
  return loopNumber(device) !== undefined;
}

function isAttached(state: AttachState): boolean {
  if (hasLoopOnTop(state)) return isLoopAttached(state.device);
  return nbdDevice(indexOf(state))?.connected === true;
}

/** Neither /sys nor the driver may be in reach of a container. The loop driver is told by its node. */
function requireSight(state: AttachState): void {
  if (hasLoopOnTop(state)) return;
  requireSysfs();
  new NbdControl()[Symbol.dispose]();
}

function detach(state: AttachState): void {
  if (!hasLoopOnTop(state)) {
    using control = new NbdControl();
    control.disconnectOnLastClose(indexOf(state), backendOf(state.format, state.image));
  }
  closeLast(state);
}

/** Opened and closed, so that there is a last close. */
function closeLast({ device }: AttachState): void {
  if (loopNumber(device) !== undefined) detachLoop(device);
  else openNode(device, O_RDONLY).close();
}

function keep(state: AttachState): void {
  if (hasLoopOnTop(state)) return keepLoop(state.device);
  using control = new NbdControl();
  const backend = backendOf(state.format, state.image);
  control.reconfigure(indexOf(state), { backend, clientFlags: 0 });
}

function resize(state: AttachState, sizeBytes: number): void {
  const index = indexOf(state);
  const backend = nbdDevice(index)?.backend ?? backendOf(state.format, state.image);
  const blockBytes = Number(diskAttribute(nbdName(index), "queue/logical_block_size"));
  using control = new NbdControl();
  control.reconfigure(index, { backend, sizeBytes: sizeBytes - sizeBytes % blockBytes });
  if (hasLoopOnTop(state)) resizeLoop(state.device);
}

function clear(state: AttachState): void {
  const index = indexOf(state);
  if (hasLoopOnTop(state)) detachLoopOver(nodePath(nbdName(index)), state.device);
  disconnectDead(index);
}
