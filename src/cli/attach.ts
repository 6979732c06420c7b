/**
 * Setting up a device for an image.
 *
 * @module
 */
import { stateDirectory, StateStore } from "../daemon/state.ts";
import { openImageFile } from "../image/open.ts";
import { EACCES, EPERM, SystemError } from "../sys/errno.ts";
import { realPath } from "../sys/files.ts";
import type { AttachCommand } from "./command.ts";
import type { Attached, AttachRequest } from "./attach_common.ts";
import { canUseNbd } from "../kernel/modules.ts";
import { attachFuse } from "./attach_fuse.ts";
import { attachNbd } from "./attach_nbd.ts";
import { attachSocket } from "./attach_socket.ts";
import { detach } from "./detach.ts";
import { CommandError, reasonOf } from "./command_error.ts";
import { complain, print } from "./console.ts";
import { resolveDevice } from "./device_names.ts";

/**
 * Attaches the image and returns when its device is usable.
 *
 * @throws {CommandError} if that fails; nothing is left behind then
 */
export function attach(command: AttachCommand, runtimeDirectory: string | undefined): number {
  const what = command.transport === "socket" ? "socket" : "loop device";
  try {
    const imagePath = readableImage(command.file);
    const states = preparedStates(stateDirectory(runtimeDirectory));
    const request = { command, imagePath, states };
    const device = transportFor(command)(request);
    if (command.show) show(device, runtimeDirectory);
    return 0;
  } catch (error) {
    const reason = explain(error, command);
    throw new CommandError(`${command.file}: failed to set up ${what}: ${reason}`);
  }
}

/** A device whose name could not be told would never be detached. */
function show({ shown, device }: Attached, runtimeDirectory: string | undefined): void {
  try {
    print(`${shown}\n`);
  } catch (error) {
    detach([device], runtimeDirectory);
    throw new CommandError(`write error: ${reasonOf(error)}`);
  }
}

/** Why it failed, with the file or device it was about, and what would work instead. */
function explain(error: unknown, { file, transport }: AttachCommand): string {
  if (!(error instanceof SystemError)) return reasonOf(error);
  const { path, errno, message } = error;
  const isAboutOther = path !== undefined && path !== file && !path.endsWith(`/${file}`);
  const isAboutRights = errno === EPERM || (errno === EACCES && path?.startsWith("/dev/"));
  const hint = isAboutRights && transport !== "socket" ? "; --socket works without root" : "";
  return `${isAboutOther ? `${path}: ` : ""}${message}${hint}`;
}

function preparedStates(directory: string): StateStore {
  const states = new StateStore(directory);
  try {
    states.prepare();
    return states;
  } catch (error) {
    throw new CommandError(`cannot keep state in ${directory}: ${reasonOf(error)}`);
  }
}

/** nbd where the kernel has it or can load it, else a FUSE file below a loop device. */
function transportFor(command: AttachCommand): (request: AttachRequest) => Attached {
  switch (command.transport) {
    case "socket":
      return attachSocket;
    case "fuse":
      return attachFuse;
    case "nbd":
      return attachNbd;
    case "auto":
      return chooseTransport(command);
  }
}

function chooseTransport({ device, verbose }: AttachCommand): typeof attachNbd {
  const why = isNbdName(device)
    ? "transport nbd: an nbd device was named"
    : canUseNbd()
    ? "transport nbd: the kernel has it"
    : undefined;
  if (verbose) complain(why ?? "transport fuse: the kernel has no nbd");
  return why === undefined ? attachFuse : attachNbd;
}

function isNbdName(device: string | undefined): boolean {
  return device !== undefined && resolveDevice(device).kind === "nbd";
}

/** Finds out early, before anything is started, whether the image can be read at all. */
function readableImage(file: string): string {
  const path = realPath(file);
  using _image = openImageFile(path, { readOnly: true }).file;
  return path;
}
