/**
 * Decides what a command line asks for. The rules for operands and for options that do not fit an
 * action are those of losetup 2.38.1 (sys-utils/losetup.c: `main`), and so are their errors.
 *
 * One difference is deliberate: operands that losetup overlooks or takes for something else
 * (`losetup -D /dev/loop3` detaches all devices, `losetup DEVICE FILE MORE` drops the last word,
 * `losetup -l DEVICE DEVICE` sets the first one up) are refused.
 *
 * @module
 */
import {
  type AttachCommand,
  attachCommand,
  findCommand,
  onlyFile,
  refuseOperands,
} from "./attach_command.ts";
import { isBareListing, type ListCommand, listCommand, wantsTable } from "./list_command.ts";
import type { OptionName } from "./option_table.ts";
import { readSettings, type Settings } from "./settings.ts";
import { UsageError } from "./usage_error.ts";
import type { FormatNames } from "./values.ts";

export type { AttachCommand } from "./attach_command.ts";
export type { ListCommand } from "./list_command.ts";
export type { FormatNames, Transport } from "./values.ts";

export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | AttachCommand
  | { readonly kind: "detach"; readonly devices: readonly string[] }
  | { readonly kind: "detachAll" }
  /** Make a device as large as its image is by now. */
  | { readonly kind: "resize"; readonly device: string }
  | ListCommand
  /** Print the first free device. */
  | { readonly kind: "find" }
  /** Print what one device is, on one line. */
  | { readonly kind: "status"; readonly device: string };

/**
 * Understands the arguments behind the program's name. `-f` takes no argument, as in losetup, but in
 * `-f FORMAT [DEVICE] FILE` the word right behind it is a format, if it names one and is not the only
 * operand.
 *
 * @throws {UsageError} if they are no use of this program
 */
export function parseCommand(args: readonly string[], formats: FormatNames): Command {
  const settings = readSettings(args, formats);
  if (settings === "help" || settings === "version") return { kind: settings };
  if (isBareListing(args, settings)) return listCommand(settings);
  const command = chooseCommand(settings, formats);
  if (command.kind !== "attach") refuseSetupOptions(command, settings);
  return command;
}

function chooseCommand(settings: Settings, formats: FormatNames): Command {
  const { seen } = settings;
  const operands = settings.operands.map(({ word }) => word);
  if (seen.has("detach")) {
    return { kind: "detach", devices: [...settings.actionDevices, ...operands] };
  }
  if (seen.has("set-capacity")) {
    const [device = "", ...excess] = [...settings.actionDevices, ...operands];
    refuseOperands(excess);
    return { kind: "resize", device };
  }
  if (seen.has("find")) {
    return operands.length === 0 ? { kind: "find" } : findCommand(settings, formats);
  }
  if (seen.has("detach-all")) {
    refuseOperands(operands);
    return { kind: "detachAll" };
  }
  if (seen.has("all") || seen.has("associated")) {
    refuseOperands(operands);
    return listCommand(settings);
  }
  if (wantsTable(settings)) {
    const [device, ...excess] = operands;
    refuseOperands(excess);
    return listCommand(settings, device);
  }
  if (seen.has("socket")) return attachCommand(settings, { file: onlyFile(operands) });
  return deviceCommand(settings, operands);
}

/** `DEVICE FILE`, or `DEVICE` for its status. */
function deviceCommand(settings: Settings, operands: readonly string[]): Command {
  const [device, ...files] = operands;
  if (device === undefined) throw new UsageError("no loop device specified");
  if (files.length === 0 && !settings.seen.has("sector-size")) return { kind: "status", device };
  return attachCommand(settings, { device, file: onlyFile(files) });
}

const LOSETUP_SETUP_OPTIONS = ["sizelimit", "partscan", "read-only", "show"] as const;
const OWN_SETUP_OPTIONS = ["file-fmt-type", "transport", "socket"] as const;
const IMAGE_OPTIONS = [
  "backing-fmt",
  "no-backing",
  "allow-backing",
  "snapshot",
  "force",
] as const;

/** `-b`, and `--sizelimit 0`, are overlooked where nothing is set up, as by losetup. */
function refuseSetupOptions(command: Command, settings: Settings): void {
  const unlimited = settings.sizeLimitBytes === 0;
  const given = (name: OptionName): boolean =>
    settings.seen.has(name) && !(name === "sizelimit" && unlimited);
  if (LOSETUP_SETUP_OPTIONS.some(given)) throw setupOnly(LOSETUP_SETUP_OPTIONS);
  if (OWN_SETUP_OPTIONS.some(given)) throw setupOnly(OWN_SETUP_OPTIONS);
  if (IMAGE_OPTIONS.some(given)) throw setupOnly(IMAGE_OPTIONS);
  const filtersByOffset = command.kind === "list" && command.file !== undefined;
  if (given("offset") && !filtersByOffset) {
    throw new UsageError("the option --offset is not allowed in this context");
  }
}

function setupOnly(names: readonly OptionName[]): UsageError {
  return new UsageError(
    `the options --{${names.join(",")}} are allowed during loop device setup only`,
  );
}
