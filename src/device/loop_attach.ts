/**
 * Attaching a raw image to a loop device as losetup does: the kernel's loop driver reads the file
 * itself; there is no daemon and no state file, and any tool can detach it.
 *
 *     image ── /dev/loopN
 *
 * Errors and warnings are losetup's (sys-utils/losetup.c, `create_loop` and `warn_size`).
 *
 * @module
 */
import type { StateStore } from "../daemon/state.ts";
import { RAW } from "../image/formats.ts";
import { lockForLoop } from "../disk/lock.ts";
import { openImageFile } from "../disk/open_file.ts";
import { rawHint } from "../disk/format_hints.ts";
import { attachLoop, detachLoop } from "../kernel/loop.ts";
import { type Backing, openBacking } from "../kernel/loop_backing.ts";
import { loopNode, NoFreeLoopError } from "../kernel/loop_control.ts";
import { requireLoop } from "../kernel/modules.ts";
import { showPartitions } from "../kernel/partitions.ts";
import { EISDIR, ENOTTY, SystemError } from "../sys/errno.ts";
import {
  fileExists,
  fileStatusIfAny,
  LentFd,
  O_PATH,
  O_RDONLY,
  openFile,
  openFileStatus,
} from "../sys/files.ts";
import { realPath } from "../sys/paths.ts";
import { reasonOf } from "../sys/reason.ts";
import type { Attached } from "./attach_common.ts";
import type { AttachCommand } from "./attach_command.ts";
import { CommandError } from "../sys/command_error.ts";
import { sectorsOfFile } from "./device_table.ts";
import { deviceNode } from "./device_names.ts";
import { tellLostNode } from "./lost_node.ts";

const SECTOR_BYTES = 512;

/** @throws {CommandError} if it fails, with losetup's words */
export function attachPlainLoop(command: AttachCommand, states: StateStore): Attached {
  const node = command.device === undefined ? undefined : deviceNode(command.device);
  const imagePath = canonicalPath(command.file);
  try {
    refuseSnapshot(command);
    requireLoop();
    const device = node === undefined ? undefined : existingNode(node, imagePath);
    const directIo = command.directIo === "on" ? "required" : "no";
    using backing = openBacking({ backingPath: imagePath, readOnly: command.readOnly, directIo });
    lock(backing, imagePath);
    const path = attachLoop({
      ...(device === undefined ? {} : { device }),
      backingPath: imagePath,
      backing: new LentFd(backing.fd.number),
      readOnly: backing.readOnly,
      directIo,
      partScan: command.partScan,
      sectorSizeBytes: sectorsOfFile(backing.fd.number, command) ?? 0,
      offsetBytes: command.offsetBytes,
      sizeLimitBytes: command.sizeLimitBytes,
      label: command.loopReference ?? imagePath,
    });
    states.forgetKilled(path);
    if (command.partScan) showItsPartitions(path);
    return { shown: path, device: path, isNew: true, warnings: loopWarnings(command) };
  } catch (error) {
    throw losetupError(error, command, node);
  }
}

/** The loop driver would show the disk as it is. */
function refuseSnapshot({ snapshot }: AttachCommand): void {
  if (snapshot !== undefined) throw new RangeError(`${RAW.name} images have no internal snapshots`);
}

/** As losetup's `canonicalize_path`: what cannot be resolved is left for open(2) to refuse. */
function canonicalPath(file: string): string {
  if (file === "") throw new CommandError(`${file}: failed to use backing file`);
  try {
    return realPath(file);
  } catch (error) {
    if (error instanceof SystemError) return file;
    throw error;
  }
}

/** The named device, which the kernel is asked to make if need be. */
function existingNode(node: string, imagePath: string): string {
  try {
    return loopNode(node);
  } catch (error) {
    if (!(error instanceof SystemError) || !fileExists(node)) throw error;
    // Some other thing. The image would have been opened first: if that fails, it is the error.
    openFile(imagePath, O_RDONLY | O_PATH).close();
    throw new SystemError("ioctl LOOP_CONFIGURE", ENOTTY, node);
  }
}

/** The driver keeps the file as it is open, with the locks on it. */
function lock({ fd, readOnly }: Backing, path: string): void {
  const status = openFileStatus(fd.number);
  if (status.kind !== "file" && status.kind !== "block") return;
  lockForLoop({ fd: fd.number, path, status }, readOnly ? "read" : "write");
}

/**
 * Where nobody makes nodes for partitions. That it may not be possible is not losetup's concern, but a
 * node that leads to another disk must not stay.
 */
function showItsPartitions(path: string): void {
  try {
    showPartitions(path);
  } catch (error) {
    if (error instanceof SystemError && error.syscall !== "unlink") return;
    detachLoop(path);
    throw error instanceof SystemError ? wrongNode(error) : error;
  }
}

function wrongNode({ path, message }: SystemError): Error {
  return new Error(`${path} leads to another disk and cannot be removed: ${message}`);
}

/** Warnings about a file that is attached as RAW. */
export function loopWarnings(command: AttachCommand): string[] {
  return [sizeWarning(command), formatHint(command)].filter((text) => text !== undefined);
}

/** losetup's, which counts modulo 2^64 where the offset lies behind the end. */
function sizeWarning({ file, sizeLimitBytes, offsetBytes }: AttachCommand): string | undefined {
  const status = fileStatusIfAny(file);
  if (sizeLimitBytes === 0 && (status === undefined || status.kind === "block")) return undefined;
  const sizeBytes = sizeLimitBytes === 0 ? (status?.sizeBytes ?? 0) - offsetBytes : sizeLimitBytes;
  if (sizeBytes >= 0 && sizeBytes < SECTOR_BYTES) {
    return "Warning: file is smaller than 512 bytes; the loop device may be useless or invisible " +
      "for system tools.";
  }
  return sizeBytes % SECTOR_BYTES === 0
    ? undefined
    : "Warning: file does not fit into a 512-byte sector; the end of the file will be ignored.";
}

/** Nobody said that it is RAW, and it does not look so. */
function formatHint({ file, format }: AttachCommand): string | undefined {
  if (format === RAW.name) return undefined;
  try {
    using image = openImageFile(file, { readOnly: true }).file;
    const hint = rawHint(image);
    return hint && `warning: ${hint}`;
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}

function losetupError(
  error: unknown,
  { file }: AttachCommand,
  node: string | undefined,
): CommandError {
  if (error instanceof CommandError) return error;
  tellLostNode(error instanceof NoFreeLoopError ? error.cause : error);
  if (error instanceof NoFreeLoopError) {
    return new CommandError(`cannot find an unused loop device: ${error.message}`);
  }
  const obstacle = node === undefined ? undefined : openingError(node);
  const [subject, reason] = obstacle === undefined ? [file, reasonOf(error)] : [node, obstacle];
  return new CommandError(`${subject}: failed to set up loop device: ${reason}`);
}

/** Why the device itself cannot be opened, if so: losetup then blames the device. */
function openingError(node: string): string | undefined {
  try {
    if (fileStatusIfAny(node)?.kind === "directory") throw new SystemError("open", EISDIR, node);
    openFile(node, O_RDONLY).close();
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}
