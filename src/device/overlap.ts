/**
 * `--nooverlap`: taking a device of the same part of an image that is there already, and refusing
 * devices whose parts overlap (losetup's `loopcxt_find_overlap` and `create_loop`).
 *
 * @module
 */
import { type AttachState, isStale, type StateStore } from "../daemon/state.ts";
import type { ImageView } from "../disk/request.ts";
import { findDriver } from "../disk/registry.ts";
import { diskNames, isDiskReadOnly, nodePath } from "../kernel/block_devices.ts";
import { keepLoop } from "../kernel/loop.ts";
import { loopBackingPath, loopStatusIfAny } from "../kernel/loop_status.ts";
import type { LoopStatus } from "../kernel/loop_layout.ts";
import { SystemError } from "../sys/errno.ts";
import { type FileStatus, fileStatusIfAny } from "../sys/files.ts";
import { type Attached, viewOf } from "./attach_common.ts";
import { loopWarnings } from "./loop_attach.ts";
import type { TransportChoice } from "./choose_transport.ts";
import type { AttachCommand } from "./attach_command.ts";
import { CommandError } from "../sys/command_error.ts";
import { RAW } from "../image/formats.ts";
import type { ViewDescription } from "../view/description.ts";
import { isBelowView } from "../kernel/view_labels.ts";
import { viewShown } from "./own_view.ts";
import { haveStay, noteIn } from "./let_go.ts";
import { operationsOf } from "./transport_table.ts";

/** A device that shows a part of the image. */
interface Rival {
  readonly path: string;
  readonly format: string;
  readonly offsetBytes: number;
  /** 0: up to the end. */
  readonly sizeLimitBytes: number;
  readonly readOnly: boolean;
  /** Of a device that a daemon of ours serves. */
  readonly state?: AttachState;
  /** Which disk of the image it shows. */
  readonly view?: ImageView;
}

/**
 * The device that already shows the part of the image that is asked for, if there is one and none was
 * named.
 *
 * @throws {CommandError} if a device overlaps with what is asked for
 */
export function reusableDevice(
  command: AttachCommand,
  choice: TransportChoice,
  states: StateStore,
): Attached | undefined {
  // What has a daemon comes first: a view can have one, and is a loop device to be found, too.
  const rivals = [...ownDevicesOf(command.file, states), ...loopsOf(command.file, deadOf(states))]
    .filter(({ path }) => path !== command.passedOver);
  const match = rivals.find((rival) => showsTheSame(rival, command, choice));
  if (match !== undefined && command.device === undefined) return reuse(match, { command, states });
  if (match === undefined && !rivals.some((rival) => overlaps(rival, command, choice))) {
    return undefined;
  }
  throw new CommandError(`${command.file}: overlapping loop device exists`);
}

function showsTheSame(rival: Rival, command: AttachCommand, { format }: TransportChoice): boolean {
  return rival.format === format && rival.offsetBytes === command.offsetBytes &&
    rival.sizeLimitBytes === command.sizeLimitBytes &&
    isSameView(rival.view ?? {}, viewOf(command));
}

/** A snapshot that is named in another way counts as another one. */
function isSameView(one: ImageView, other: ImageView): boolean {
  return one.snapshot === other.snapshot && one.noBacking === other.noBacking &&
    one.backingFormat === other.backingFormat && one.force === other.force &&
    (one.parents ?? []).join("\0") === (other.parents ?? []).join("\0");
}

/** Parts of a container and parts of its virtual disk cannot be compared: they count as overlapping. */
function overlaps(rival: Rival, command: AttachCommand, { format }: TransportChoice): boolean {
  if (rival.format !== format) return true;
  const { offsetBytes, sizeLimitBytes } = command;
  const liesBehind = rival.sizeLimitBytes !== 0 &&
    offsetBytes >= rival.offsetBytes + rival.sizeLimitBytes;
  const liesBefore = sizeLimitBytes !== 0 && offsetBytes + sizeLimitBytes <= rival.offsetBytes;
  return !liesBehind && !liesBefore;
}

interface Reuse {
  readonly command: AttachCommand;
  readonly states: StateStore;
}

function reuse(rival: Rival, { command, states }: Reuse): Attached {
  const { file } = command;
  const couldWrite = findDriver(rival.format)?.writable === true;
  if (rival.readOnly && couldWrite && !command.readOnly) {
    throw new CommandError(`${file}: overlapping read-only loop device exists`);
  }
  try {
    haveItStay(rival, states);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new CommandError(`${file}: failed to re-use loop device`);
  }
  const warnings = rival.format === RAW.name && rival.state === undefined
    ? loopWarnings(command)
    : [];
  return { shown: rival.path, device: rival.path, isNew: false, warnings };
}

/** It may be about to go with its last close. */
function haveItStay({ path, state }: Rival, states: StateStore): void {
  if (state === undefined) keepLoop(path);
  else haveStay(state, noteIn(states, state));
}

/** Devices whose daemon has gone: of a view, the kernel reads some parts still, but others fail. */
function deadOf(states: StateStore): ReadonlySet<string> {
  return new Set(states.all().filter(isStale).map(({ device }) => device));
}

/** Loop devices right on the file, or on a view of it that can be read. */
function loopsOf(file: string, dead: ReadonlySet<string>): Rival[] {
  const image = fileStatusIfAny(file);
  return diskNames("loop")
    .filter((name) => loopBackingPath(name) !== undefined)
    .flatMap((name): Rival[] => {
      const path = nodePath(name);
      const status = loopStatusIfAny(path);
      if (status === undefined || isBelowView(status)) return [];
      const { offsetBytes, sizeLimitBytes } = status;
      const part = { path, offsetBytes, sizeLimitBytes, readOnly: isDiskReadOnly(name) };
      const shown = viewShown(status);
      if (shown !== undefined) {
        return isImage(shown, image) && !dead.has(path) ? [{ ...part, ...shown }] : [];
      }
      return isOnFile(status, { name, file, image }) ? [{ ...part, format: RAW.name }] : [];
    });
}

interface Wanted {
  readonly name: string;
  readonly file: string;
  readonly image: FileStatus | undefined;
}

/** By device and inode; a file that cannot be looked at, by its name. */
function isOnFile(
  { backingDevice, backingInode }: LoopStatus,
  { name, file, image }: Wanted,
): boolean {
  if (image === undefined) return loopBackingPath(name) === file;
  return backingInode === image.exactInode && backingDevice.major === image.deviceMajor &&
    backingDevice.minor === image.deviceMinor;
}

function isImage(
  { imageDevice: [major, minor], imageInode }: ViewDescription,
  image: FileStatus | undefined,
): boolean {
  return image?.inode === imageInode && image.deviceMajor === major &&
    image.deviceMinor === minor;
}

/**
 * Devices of ours, but for sockets, which are none, that show the image. What has an overlay shows a disk
 * of its own, and is in nobody's way.
 */
function ownDevicesOf(file: string, states: StateStore): Rival[] {
  const image = fileStatusIfAny(file);
  return states.all()
    .filter((state) => operationsOf(state).isBlockDevice && !isStale(state))
    .filter(({ hasOverlay }) => hasOverlay !== true)
    .filter(({ imageDevice: [major, minor], imageInode }) =>
      image?.inode === imageInode && image.deviceMajor === major && image.deviceMinor === minor
    )
    .map((state) => ({ ...ownRival(state), state, view: state.view ?? {} }));
}

function ownRival(state: AttachState): Rival {
  const { device: path, format, offsetBytes, sizeLimitBytes, readOnly } = state;
  return { path, format, offsetBytes, sizeLimitBytes, readOnly };
}
