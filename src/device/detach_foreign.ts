/**
 * Detaching nbd devices this user has no state of: those of a daemon that died, and those of other
 * programs, which are left alone unless that is forced.
 *
 * @module
 */
import { daemonWords } from "../daemon/daemon_words.ts";
import { NbdControl } from "../kernel/nbd.ts";
import { type NbdDevice, nbdDevice, waitUntilDisconnected } from "../kernel/nbd_devices.ts";
import { areReceiversVisible } from "../kernel/nbd_receivers.ts";
import { deviceUsers } from "../kernel/users.ts";
import { EBUSY, ENXIO, SystemError } from "../sys/errno.ts";
import { listDirectory } from "../sys/directories.ts";
import { readTextIfAny } from "../sys/files.ts";
import { isOwnBackend } from "./backend.ts";
import { noDevice } from "./device_names.ts";
import type { DetachOptions } from "./detach_options.ts";
import { tellStillOpen } from "./dead_devices.ts";
import { disconnectDead } from "./own_nbd.ts";

/** @throws {Error} if it is not there or not attached, or another program's */
export function detachForeignNbd(
  { index, path }: { readonly index: number; readonly path: string },
  { force }: DetachOptions,
): void {
  const device = nbdDevice(index);
  if (device === undefined) throw noDevice(path);
  if (!device.connected) throw new SystemError("open", ENXIO, path);
  const when = deviceUsers(path).length > 0 ? "with its last close" : "now";
  if (isOwnBackend(device.backend)) return detachWithoutState(device, { when, force });
  if (!force) {
    throw new Error(
      `it was attached by ${attacher(device)}, not by tslosetup; --force detaches it`,
    );
  }
  disconnect(device, when);
}

type When = "now" | "with its last close";

/**
 * One of ours whose state was removed, by whoever, or is in another container's folder. Its daemon may
 * be at work there, for somebody who merely has the device open.
 */
function detachWithoutState(
  device: NbdDevice,
  { when, force }: { readonly when: When } & Pick<DetachOptions, "force">,
): void {
  const { index, path } = device;
  const isFree = when === "now" && (force || isForsaken(path))
    ? disconnectDead(index)
    : hasGoneLazily(device);
  if (!isFree && when === "now") tellStillOpen(path);
}

function hasGoneLazily({ index, backend = "", path: node }: NbdDevice): boolean {
  using control = new NbdControl();
  control.detachLazily(index, { backend, node });
  return waitUntilDisconnected(index);
}

/** Whether no process serves a device: nobody then answers what is under way. */
function isForsaken(path: string): boolean {
  return areKernelIds() && !listDirectory("/proc").map(Number).some((id) => serves(id, path));
}

/** Whether process ids here are those of the kernel: where its own threads cannot be seen, they are not. */
function areKernelIds(): boolean {
  return areReceiversVisible();
}

function serves(id: number, path: string): boolean {
  return daemonWords(id)?.includes(path) === true;
}

/** What the kernel knows of whoever connected a device. */
function attacher({ backend, connectorThread }: NbdDevice): string {
  const who = processCalled(connectorThread);
  return backend === undefined ? who : `${who} as '${backend}'`;
}

/** @param id as the kernel tells it, which in a container is another process's */
function processCalled(id: number): string {
  if (!areKernelIds()) return `process ${id} outside of this PID namespace`;
  const program = readTextIfAny(`/proc/${id}/comm`);
  return program === undefined ? `process ${id}, which has ended` : `${program} (pid ${id})`;
}

function disconnect(device: NbdDevice, when: When): void {
  const { index, backend = "", path: node } = device;
  using control = new NbdControl();
  if (when === "with its last close") return control.detachLazily(index, { backend, node });
  control.disconnect(index);
  if (!waitUntilDisconnected(index)) throw new SystemError("disconnect", EBUSY, node);
}
