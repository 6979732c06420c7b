/**
 * Showing what is attached.
 *
 * @module
 */
import { type AttachState, isStale, stateDirectory, StateStore } from "../daemon/state.ts";
import { ENXIO, SystemError } from "../sys/errno.ts";
import { fileStatus, fileStatusIfAny } from "../sys/files.ts";
import { type ColumnName, LIST_COLUMNS } from "./columns.ts";
import type { ListCommand } from "./command.ts";
import { CommandError, reasonOf } from "./command_error.ts";
import { complain, print } from "./console.ts";
import { clearLeftOver, isLeftOver } from "./dead_devices.ts";
import { isOn, resolveDevice } from "./device_names.ts";
import { formatTable } from "./table.ts";

/** Prints this user's devices, or those of an image, as a table or as losetup's old lines. */
export function list(command: ListCommand, runtimeDirectory: string | undefined): number {
  const states = currentStates(runtimeDirectory).filter(isWanted(command));
  if (command.form === "lines") print(states.map(oldLine).join(""));
  else print(formatTable(LIST_COLUMNS, states.map(tableRow)));
  return 0;
}

/** Prints one device as losetup does. */
export function status(name: string, runtimeDirectory: string | undefined): number {
  const device = resolveDevice(name);
  const state = currentStates(runtimeDirectory).find((candidate) => isOn(candidate, device));
  if (state === undefined) {
    throw new CommandError(`${device.path}: ${reasonOf(new SystemError("open", ENXIO))}`);
  }
  print(oldLine(state));
  return 0;
}

/**
 * All states of what is still there. What a killed daemon has left behind is listed with a warning,
 * once in the case of a socket, which is cleared away; other stale states are removed.
 */
function currentStates(runtimeDirectory: string | undefined): AttachState[] {
  const store = new StateStore(stateDirectory(runtimeDirectory));
  return store.all().filter((state) => {
    if (!isStale(state)) return true;
    if (state.transport !== "socket" && isLeftOver(state)) {
      complain(
        `${state.device}: warning: its daemon (pid ${state.pid}) is gone and all access fails; ` +
          `detach it with: tslosetup -d ${state.device}`,
      );
      return true;
    }
    if (isLeftOver(state)) {
      complain(`${state.device}: warning: its daemon (pid ${state.pid}) was killed; removed`);
    }
    clearLeftOver(state, store);
    return false;
  });
}

function isWanted(command: ListCommand): (state: AttachState) => boolean {
  const device = command.device === undefined ? undefined : resolveDevice(command.device);
  const file = command.file === undefined ? undefined : imageFilter(command.file);
  return (state) =>
    (device === undefined || isOn(state, device)) &&
    (file === undefined || file(state)) &&
    (command.offsetBytes === undefined || command.offsetBytes === state.offsetBytes);
}

/** Compares files by device and inode: an image may be known by another name. */
function imageFilter(file: string): (state: AttachState) => boolean {
  try {
    const { deviceMajor, deviceMinor, inode } = fileStatus(file);
    return ({ imageDevice: [major, minor], imageInode }) =>
      major === deviceMajor && minor === deviceMinor && imageInode === inode;
  } catch (error) {
    if (error instanceof SystemError) return ({ image }) => image === file;
    throw error;
  }
}

function tableRow(state: AttachState): string[] {
  const cells: Readonly<Record<ColumnName, string>> = {
    "NAME": state.device,
    "RO": state.readOnly ? "1" : "0",
    "BACK-FILE": backFile(state),
    "FILE-FORMAT": state.format,
    "SIZE": String(state.sizeBytes),
    "OFFSET": String(state.offsetBytes),
    "SIZELIMIT": String(state.sizeLimitBytes),
    "PID": isStale(state) ? "-" : String(state.pid),
  };
  return LIST_COLUMNS.map(({ heading }) => cells[heading]);
}

/** The image's path, marked as losetup marks a file that was deleted. */
function backFile({ image }: AttachState): string {
  return fileStatusIfAny(image) === undefined ? `${image} (deleted)` : image;
}

/** `/dev/nbd0: [64512]:1234 (/img), offset 512, sizelimit 1024, file-format QCOW`. */
function oldLine(state: AttachState): string {
  const [major, minor] = state.imageDevice;
  const offset = state.offsetBytes > 0 ? `, offset ${state.offsetBytes}` : "";
  const limit = state.sizeLimitBytes > 0 ? `, sizelimit ${state.sizeLimitBytes}` : "";
  const device = String(deviceNumber(major, minor)).padStart(4, "0");
  return `${state.device}: [${device}]:${state.imageInode} (${state.image})${offset}${limit}, ` +
    `file-format ${state.format}\n`;
}

/** `dev_t` as one number (sys/sysmacros.h, makedev), for majors and minors that fit 32 bits. */
function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
