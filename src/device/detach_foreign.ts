/**
 * Detaching nbd devices this user has no state of: those of a daemon that died, and those of other
 * programs, which are left alone unless that is forced.
 *
 * @module
 */
import { NbdControl } from "../kernel/nbd.ts";
import { type NbdDevice, nbdDevice, waitUntilDisconnected } from "../kernel/nbd_devices.ts";
import { deviceUsers } from "../kernel/users.ts";
import { EBUSY, ENXIO, SystemError } from "../sys/errno.ts";
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
  if (isOwnBackend(device.backend)) return detachWithoutState(device, when);
  if (!force) {
    throw new Error(
      `it was attached by ${attacher(device)}, not by tslosetup; --force detaches it`,
    );
  }
  disconnect(device, when);
}

type When = "now" | "with its last close";

/** One of ours whose state was removed, by whoever. */
function detachWithoutState(device: NbdDevice, when: When): void {
  if (when === "with its last close") disconnect(device, when);
  else if (!disconnectDead(device.index)) tellStillOpen(device.path);
}

/** What the kernel knows of whoever connected a device. */
function attacher({ backend, connectorThread }: NbdDevice): string {
  const program = readTextIfAny(`/proc/${connectorThread}/comm`);
  const who = program === undefined
    ? `process ${connectorThread}, which has ended`
    : `${program} (pid ${connectorThread})`;
  return backend === undefined ? who : `${who} as '${backend}'`;
}

function disconnect(device: NbdDevice, when: When): void {
  const { index, backend = "", path: node } = device;
  using control = new NbdControl();
  if (when === "with its last close") return control.detachLazily(index, { backend, node });
  control.disconnect(index);
  if (!waitUntilDisconnected(index)) throw new SystemError("disconnect", EBUSY, node);
}
