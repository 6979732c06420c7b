/**
 * Which devices there are to list.
 *
 * @module
 */
import type { ServedTransport } from "../../daemon/served_transport.ts";
import type { AttachState } from "../../daemon/state.ts";
import { nodePath, unsortedDiskNames } from "../../kernel/block_devices.ts";
import { loopNumber } from "../../kernel/loop_status.ts";
import { nbdIndex, nbdName } from "../../kernel/nbd_devices.ts";
import { parseBackend } from "../../device/backend.ts";
import { isSameLoop } from "../../device/same_loop.ts";
import { Disk } from "./disk.ts";
import { ForeignNbd } from "./foreign_nbd.ts";
import { LoopDevice } from "./loop_device.ts";
import { OwnDevice, type OwnImage } from "./own_device.ts";
import { HIGH_LOOPS, isBelowView, METADATA_NAME } from "../../kernel/view_labels.ts";
import { viewShown } from "../../device/own_view.ts";
import { ViewDevice } from "./view_device.ts";

/** Any kind of device. */
export type AnyDevice = LoopDevice | ViewDevice | OwnDevice | ForeignNbd;

/**
 * All that is attached: loop devices in the kernel's order, as losetup lists them, then nbd devices by
 * number, then sockets. What carries one of the loop devices is left out: an nbd device, or the loop
 * devices below a view.
 */
export function allDevices(states: readonly AttachState[]): AnyDevice[] {
  const loops = unsortedDiskNames("loop")
    .filter((name) => loopNumber(name) !== undefined)
    .map((name) => new Disk(name))
    .filter((disk) => disk.attribute("loop/backing_file") !== undefined)
    .map((disk) => listedLoop(disk, states));
  const shown = loops.filter((loop) => !(loop instanceof LoopDevice && isHidden(loop, loops)));
  const below = new Set(
    shown.map((loop) => loop instanceof OwnDevice ? nbdBelow(loop.disk) : undefined),
  );
  const nbds = unsortedDiskNames("nbd")
    .map(nbdIndex)
    .filter((index) => index !== undefined)
    .sort((a, b) => a - b)
    .map((index) => new Disk(nbdName(index)))
    .filter((disk) => isConnected(disk) && !below.has(disk.name))
    .map((disk) => listedNbd(disk, states));
  const sockets = states.filter(isSocket).map(listedAlone);
  return [...shown, ...nbds, ...sockets];
}

/** Whether a loop device is one below a view. Who may not ask the kernel goes by what can be seen. */
function isHidden(loop: LoopDevice, all: readonly AnyDevice[]): boolean {
  if (loop.status !== undefined) return isBelowView(loop.status);
  return looksLowered(loop) &&
    all.some((other) => other instanceof LoopDevice && hasMetadata(other));
}

function looksLowered(loop: LoopDevice): boolean {
  const number = loopNumber(loop.disk.name) ?? 0;
  return number >= HIGH_LOOPS.first && loop.cell("AUTOCLEAR") === "1" && loop.cell("RO") === "1";
}

function hasMetadata(loop: LoopDevice): boolean {
  return looksLowered(loop) && loop.backingFile?.startsWith(`/memfd:${METADATA_NAME}`) === true;
}

/** Whether something is attached to an nbd device. */
export function isConnected(nbd: Disk): boolean {
  return nbd.attribute("pid") !== undefined;
}

/** A loop device, attached or not. */
export function listedLoop(
  disk: Disk,
  states: readonly AttachState[],
): LoopDevice | ViewDevice | OwnDevice {
  const state = states.find((candidate) => isOnLoop(candidate, disk));
  const own = state === undefined ? imageBelow(disk) : ownImage(state);
  if (own !== undefined) return new OwnDevice(own, disk);
  const loop = new LoopDevice(disk);
  const shown = viewShown(loop.status);
  return shown === undefined ? loop : new ViewDevice(loop, shown);
}

function isOnLoop(state: AttachState, disk: Disk): boolean {
  return state.device === nodePath(disk.name) && IS_ON_LOOP[state.transport](state, disk);
}

/** Whether a loop device of that name is still the one that a state is about. */
const IS_ON_LOOP: Readonly<Record<ServedTransport, (state: AttachState, disk: Disk) => boolean>> = {
  nbd: ({ nbdIndex }, disk) => nbdIndex !== undefined && nbdBelow(disk) === nbdName(nbdIndex),
  fuse: isSameLoop,
  view: isSameLoop,
  socket: () => false,
};

/** The image of another user's loop device over nbd. */
function imageBelow(disk: Disk): OwnImage | undefined {
  const nbd = nbdBelow(disk);
  return nbd === undefined ? undefined : imageOfBackend(new Disk(nbd));
}

/** Kernel name of the nbd device that a loop device has as its backing file. */
function nbdBelow(disk: Disk | undefined): string | undefined {
  const index = nbdIndex(disk?.attribute("loop/backing_file") ?? "");
  return index === undefined ? undefined : nbdName(index);
}

/** Whose it is, its backend says; kernels before 5.14 do not record that. */
export function listedNbd(disk: Disk, states: readonly AttachState[]): OwnDevice | ForeignNbd {
  const index = nbdIndex(disk.name);
  const told = imageOfBackend(disk);
  const state = told !== undefined || disk.attribute("backend") === undefined
    ? states.find((candidate) => candidate.nbdIndex === index)
    : undefined;
  const own = state === undefined ? told : ownImage(state);
  return own === undefined ? new ForeignNbd(disk) : new OwnDevice(own, disk);
}

function imageOfBackend(nbd: Disk): OwnImage | undefined {
  const backend = parseBackend(nbd.attribute("backend"));
  return backend && { ...backend, transport: "nbd", state: undefined };
}

/** Whether what has a state is no block device. */
export function isSocket({ transport }: AttachState): boolean {
  return transport === "socket";
}

/** What has a state, without a disk: a socket. */
export function listedAlone(state: AttachState): OwnDevice {
  return new OwnDevice(ownImage(state), undefined);
}

/** What a state says of its image. */
function ownImage(state: AttachState): OwnImage {
  const { image, format, transport } = state;
  return { image, format, transport, state };
}
