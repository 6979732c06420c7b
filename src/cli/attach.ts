/**
 * Setting up a device for an image: the parts that all transports share.
 *
 * @module
 */
import type { Job, Ready } from "../daemon/job.ts";
import type { Launched } from "../daemon/launch.ts";
import { type AttachState, stateDirectory, StateStore } from "../daemon/state.ts";
import { openImageFile } from "../image/open.ts";
import { RAW } from "../image/registry.ts";
import { fileStatus, realPath } from "../sys/files.ts";
import type { AttachCommand } from "./command.ts";
import { attachNbd } from "./attach_nbd.ts";
import { attachSocket } from "./attach_socket.ts";
import { CommandError, reasonOf } from "./command_error.ts";
import { complain, print } from "./console.ts";

/** A device that is ready for use. */
export interface Attached {
  /** What `--show` prints. */
  readonly shown: string;
}

/** What a transport needs to attach an image. */
export interface AttachRequest {
  readonly command: AttachCommand;
  /** Absolute path of the image. */
  readonly imagePath: string;
  readonly states: StateStore;
}

/**
 * Attaches the image and returns when its device is usable.
 *
 * @throws {CommandError} if that fails; nothing is left behind then
 */
export function attach(command: AttachCommand, runtimeDirectory: string | undefined): number {
  const what = command.transport === "socket" ? "socket" : "loop device";
  try {
    const imagePath = readableImage(command.file);
    const states = new StateStore(stateDirectory(runtimeDirectory));
    states.prepare();
    const request = { command, imagePath, states };
    const { shown } = command.transport === "socket" ? attachSocket(request) : attachNbd(request);
    if (command.show) print(`${shown}\n`);
    return 0;
  } catch (error) {
    throw new CommandError(`${command.file}: failed to set up ${what}: ${reasonOf(error)}`);
  }
}

/** Finds out early, before anything is started, whether the image can be read at all. */
function readableImage(file: string): string {
  const path = realPath(file);
  using _image = openImageFile(path, { readOnly: true }).file;
  return path;
}

/** The daemon's part of a request. */
export function jobFor(
  { command, imagePath }: AttachRequest,
  transport: Pick<Job, "transport" | "sockets" | "keptOpen" | "threads" | "socketPath">,
): Job {
  return {
    imagePath,
    image: {
      format: command.format ?? RAW.name,
      readOnly: command.readOnly,
      offsetBytes: command.offsetBytes,
      sizeLimitBytes: command.sizeLimitBytes,
    },
    ...transport,
  };
}

/**
 * The daemon's good answer; its warnings go to standard error.
 *
 * @throws {CommandError} with its reason, if it has refused
 */
export function readyAnswer(launched: Launched, { command }: AttachRequest): Ready {
  const { answer } = launched;
  if (!answer.ok) throw new CommandError(answer.message);
  if (answer.sizeBytes === 0) throw new CommandError("the virtual disk is empty");
  for (const warning of answer.warnings) complain(`${command.file}: warning: ${warning}`);
  return answer;
}

/** The state file's content for a device that has been set up. */
export function stateFor(
  { command, imagePath }: AttachRequest,
  launched: Launched,
  ready: Ready,
  device: Pick<AttachState, "device" | "transport" | "nbdIndex" | "sizeBytes">,
): AttachState {
  const status = fileStatus(imagePath);
  return {
    version: 1,
    ...launched.process,
    ...device,
    image: imagePath,
    imageDevice: [status.deviceMajor, status.deviceMinor],
    imageInode: status.inode,
    format: ready.format,
    readOnly: ready.readOnly,
    offsetBytes: command.offsetBytes,
    sizeLimitBytes: command.sizeLimitBytes,
  };
}
