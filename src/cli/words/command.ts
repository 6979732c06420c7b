/**
 * Decides what a command line asks for. The rules for operands and for options that do not fit an
 * action are those of losetup 2.38.1 (sys-utils/losetup.c: `main`), and so are their errors.
 *
 * Operands that losetup overlooks are overlooked here, too, with one deliberate exception: whoever
 * types `losetup -D /dev/loop3` does not expect it to detach all devices.
 *
 * @module
 */
import { attachCommand, findCommand, onlyFile, refuseOperands } from "./attach_command.ts";
import { type GrowCommand, growCommand } from "./grow_command.ts";
import { type ImageCommand, imageCommand, wantedImageCommand } from "./image_command.ts";
import { isBareListing, type ListCommand, listCommand, wantsTable } from "./list_command.ts";
import type { AttachCommand } from "../../device/attach_command.ts";
import type { DetachOptions } from "../../device/detach_options.ts";
import type { WantedSectors } from "../../disk/sector_size.ts";
import { chooseColumns } from "../listing/column_list.ts";
import { CACHE_OPTIONS, DISK_OPTIONS } from "./option_list.ts";
import type { OptionName } from "./option_table.ts";
import { type SnapshotCommand, snapshotCommand } from "./snapshot_command.ts";
import { readSettings, type Settings } from "./settings.ts";
import { type TabCommand, tabCommand } from "./tab_command.ts";
import { UsageError } from "./usage_error.ts";
import type { FormatNames } from "./values.ts";

export type { GrowCommand } from "./grow_command.ts";
export type { ImageCommand } from "./image_command.ts";
export type { ListCommand } from "./list_command.ts";
export type { SnapshotCommand } from "./snapshot_command.ts";
export type { TabCommand } from "./tab_command.ts";
export type { FormatNames } from "./values.ts";

export type Command =
  | { readonly kind: "help" }
  /** Print the man page. */
  | { readonly kind: "man" }
  | { readonly kind: "version" }
  | AttachCommand
  | DetachCommand
  | { readonly kind: "detachAll" }
  | ResizeCommand
  | GrowCommand
  | SnapshotCommand
  | AdjustCommand
  | TabCommand
  /** Have the kernel forget devices. */
  | { readonly kind: "remove"; readonly devices: readonly string[] }
  | ListCommand
  | ImageCommand
  /** Print the first free device. */
  | { readonly kind: "find" }
  /** Print what one device is, on one line. */
  | { readonly kind: "status"; readonly device: string };

/** Makes a device as large as its image is by now. */
export interface ResizeCommand {
  readonly kind: "resize";
  readonly device: string;
  /** What else was named, which means nothing here, but the image in qemu-nbd. */
  readonly file: string | undefined;
}

/** Takes devices down, or all of an image. */
export interface DetachCommand extends DetachOptions {
  readonly kind: "detach";
  readonly devices: readonly string[];
}

/** Changes a device that is set up. */
export type AdjustCommand =
  | { readonly kind: "directIo"; readonly device: string; readonly wanted: "on" | "off" }
  | { readonly kind: "sectorSize"; readonly device: string; readonly wanted: WantedSectors };

/**
 * Understands the arguments behind the program's name. `-f` takes no argument, as in losetup, but in
 * `-f FORMAT [DEVICE] FILE` the word right behind it is a format, if it names one and is not the only
 * operand.
 *
 * @throws {UsageError} if they are no use of this program
 */
export function parseCommand(args: readonly string[], formats: FormatNames): Command {
  const settings = readSettings(args, formats);
  if (typeof settings === "string") return { kind: settings };
  if (isBareListing(args, settings)) return listCommand(settings);
  if (settings.seen.has("tab")) return tabCommand(settings);
  const look = wantedImageCommand(settings);
  if (look !== undefined) return imageCommand(look, settings);
  if (settings.seen.has("repair")) throw new UsageError("the option --repair goes with --check");
  if (settings.newSize !== undefined) return growCommand(settings.newSize, settings);
  if (settings.snapshotChange !== undefined) {
    return snapshotCommand(settings.snapshotChange, settings);
  }
  const command = chooseCommand(settings, formats);
  if (command.kind !== "attach") refuseSetupOptions(command, settings);
  // Columns that do not exist are refused also where nothing is listed.
  if (command.kind !== "list") chooseColumns({ list: settings.columnList, all: false });
  return command;
}

function chooseCommand(settings: Settings, formats: FormatNames): Command {
  const { seen } = settings;
  const operands = settings.operands.map(({ word }) => word);
  const devices = [...settings.actionDevices, ...operands];
  if (seen.has("detach")) {
    return { kind: "detach", devices, force: seen.has("force"), verbose: seen.has("verbose") };
  }
  if (seen.has("set-capacity")) {
    const [device = "", file] = devices;
    return { kind: "resize", device, file };
  }
  if (seen.has("remove")) return { kind: "remove", devices: oneOrMore(operands) };
  if (seen.has("find")) {
    return operands.length === 0 ? { kind: "find" } : findCommand(settings, formats);
  }
  if (seen.has("detach-all")) {
    refuseOperands(operands);
    return { kind: "detachAll" };
  }
  if (seen.has("all") || seen.has("associated")) return listCommand(settings);
  if (wantsTable(settings) && operands.length === 0) return listCommand(settings);
  if (seen.has("socket")) return attachCommand(settings, { file: onlyFile(operands) });
  return deviceCommand(settings, operands);
}

/** `DEVICE FILE`, or `DEVICE` to change or show it. */
function deviceCommand(settings: Settings, operands: readonly string[]): Command {
  const [device, file] = oneOrMore(operands);
  if (file !== undefined) return attachCommand(settings, { device, file });
  const { seen, directIo, sectorBytes } = settings;
  if (directIo !== undefined) return { kind: "directIo", device, wanted: directIo };
  if (seen.has("sector-size")) return { kind: "sectorSize", device, wanted: sectorBytes };
  return wantsTable(settings) ? listCommand(settings, device) : { kind: "status", device };
}

function oneOrMore([device, ...others]: readonly string[]): [string, ...string[]] {
  if (device === undefined) throw new UsageError("no loop device specified");
  return [device, ...others];
}

const LOSETUP_SETUP_OPTIONS = ["sizelimit", "partscan", "read-only", "show"] as const;
const OWN_SETUP_OPTIONS = [
  "file-fmt-type",
  "transport",
  "kernel-decode",
  "socket",
  "threads",
  "foreground",
  "pid-file",
  "no-revive",
] as const;
const IMAGE_OPTIONS = [...DISK_OPTIONS, "force"] as const;

/** `-b`, and `--sizelimit 0`, are overlooked where nothing is set up, as by losetup. */
function refuseSetupOptions(command: Command, settings: Settings): void {
  const { seen, sizeLimitBytes, openDirect } = settings;
  const given = (name: OptionName): boolean =>
    seen.has(name) && !(name === "sizelimit" && sizeLimitBytes === 0);
  if (OWN_SETUP_OPTIONS.some(given)) throw ownSetupOnly(OWN_SETUP_OPTIONS, command);
  const isForcedDetach = (name: OptionName): boolean =>
    name === "force" && command.kind === "detach";
  if (IMAGE_OPTIONS.some((name) => given(name) && !isForcedDetach(name))) {
    throw ownSetupOnly(IMAGE_OPTIONS, command);
  }
  if (CACHE_OPTIONS.some(given)) throw ownSetupOnly(CACHE_OPTIONS, command);
  const misplaced = openDirect && command.kind !== "directIo";
  if (misplaced || LOSETUP_SETUP_OPTIONS.some(given)) throw setupOnly(LOSETUP_SETUP_OPTIONS);
  const filtersByOffset = command.kind === "list" && command.file !== undefined;
  if (given("offset") && !filtersByOffset) {
    throw new UsageError("the option --offset is not allowed in this context");
  }
}

/** An image alone, without a word about where it is to go, is the likeliest slip. */
function ownSetupOnly(names: readonly OptionName[], { kind }: Command): UsageError {
  const { message } = setupOnly(names);
  return kind === "status"
    ? new UsageError(`${message}, which takes --find, a device or --socket beside the file`)
    : new UsageError(message);
}

function setupOnly(names: readonly OptionName[]): UsageError {
  return new UsageError(
    `the options --{${names.join(",")}} are allowed during loop device setup only`,
  );
}
