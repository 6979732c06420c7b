/**
 * Showing what is attached.
 *
 * @module
 */
import type { AttachState } from "../daemon/state.ts";
import { diskNames } from "../kernel/block_devices.ts";
import { hasSysfs } from "../kernel/sysfs_disks.ts";
import { ENOENT, ENXIO, errorText } from "../sys/errno.ts";
import { isUtf8Locale, terminalColumns } from "../sys/terminal.ts";
import type { ListCommand } from "./words/command.ts";
import { CommandError } from "../sys/command_error.ts";
import { complain, print } from "../sys/console.ts";
import { chooseColumns } from "./listing/column_list.ts";
import { chosenColumns, type ColumnChoice } from "./listing/chosen_columns.ts";
import { type KnownColumn, OWN_COLUMNS } from "./listing/columns.ts";
import { allDevices, type AnyDevice } from "./listing/devices.ts";
import { formatJson } from "./listing/json.ts";
import { currentStates } from "./listing/own_states.ts";
import { OwnDevice } from "./listing/own_device.ts";
import { formatRaw } from "./listing/raw.ts";
import { type CharacterSet, safeText } from "../sys/safe_text.ts";
import { formatTable, type TableOptions } from "./listing/table.ts";

/** Prints all devices, those of an image, or one, in the form that is asked for. */
export async function list(
  command: ListCommand,
  runtimeDirectory: string | undefined,
): Promise<number> {
  const states = await currentStates(runtimeDirectory);
  const { device: name } = command;
  const device = name === undefined ? undefined : await deviceNamed(name, states);
  const choice = chooseColumns(command.columns);
  if (device === undefined) warnOfUnseen();
  const devices = device === undefined ? await wantedDevices(command, states) : [device];
  print(format(devices, choice, command));
  return 0;
}

/** Prints one device as losetup does. The name may be that of an image by mistake. */
export async function status(
  name: string,
  runtimeDirectory: string | undefined,
): Promise<number> {
  const states = await currentStates(runtimeDirectory);
  const device = await deviceNamed(name, states).catch(async (error) => {
    const { hinting } = await import("./image_alone.ts");
    throw hinting(error, name);
  });
  const line = device.oldLine();
  if (line === undefined) {
    // What losetup says of a loop device that is not attached: why its last call has failed.
    const reason = errorText(hasSysfs() ? ENOENT : ENXIO);
    throw new CommandError(`${device.cell("NAME")}: ${reason}`);
  }
  print(forReader(line));
  return 0;
}

function oldLine(device: AnyDevice): string {
  const line = device.oldLine();
  return line === undefined ? "" : forReader(line);
}

/** losetup's lines hold names as they are, which is what a script wants, and a terminal must not get. */
function forReader(line: string): string {
  return Deno.stdout.isTerminal() ? `${safeText(line.slice(0, -1))}\n` : line;
}

async function deviceNamed(name: string, states: readonly AttachState[]): Promise<AnyDevice> {
  const { listedDevice } = await import("./listing/named_device.ts");
  return listedDevice(name, states);
}

/** Only sysfs tells which nbd devices are connected, and to what. */
function warnOfUnseen(): void {
  if (hasSysfs() || diskNames("nbd").length === 0) return;
  complain("warning: /sys is not mounted: nbd devices are not listed");
}

async function wantedDevices(
  { file, offsetBytes, unlimited }: ListCommand,
  states: readonly AttachState[],
): Promise<AnyDevice[]> {
  const all = allDevices(states);
  const lingering = withoutDevice(states, all);
  if (lingering.length > 0) {
    const { tellLingering } = await import("./listing/lingering.ts");
    await tellLingering(lingering, file);
  }
  if (file === undefined) return all;
  const { devicesShowing } = await import("./listing/showing.ts");
  return (await devicesShowing(file, all)).filter((device) =>
    (offsetBytes === undefined || Number(device.cell("OFFSET")) === offsetBytes) &&
    (!unlimited || Number(device.cell("SIZELIMIT")) === 0)
  );
}

/** Those whose device the kernel does not have any more, as far as that can be told. */
function withoutDevice(
  states: readonly AttachState[],
  devices: readonly AnyDevice[],
): readonly AttachState[] {
  if (!hasSysfs()) return [];
  const listed = new Set(devices.map((device) => device instanceof OwnDevice && device.own.state));
  return states.filter((state) => !listed.has(state));
}

function format(
  devices: readonly AnyDevice[],
  choice: ColumnChoice,
  { form, headings }: ListCommand,
): string {
  if (form === "lines") return devices.map(oldLine).join("");
  const havePlainLoopsOnly = devices.every(({ isPlainLoop }) => isPlainLoop);
  const columns = chosenColumns(choice, {
    havePlainLoopsOnly,
    asTable: form === "table",
    have: (name) => devices.some((device) => Number(device.cell(name) ?? 0) !== 0),
  });
  if (form === "json") return formatJson(columns, devices.map((device) => values(device, columns)));
  const rows = devices.map((device) => shownCells(device, columns));
  if (form === "raw") return formatRaw(columns, rows, { headings });
  const isOurs = choice.base === "default" && !havePlainLoopsOnly;
  const characterSet = characterSetFor(rows);
  return formatTable(columns, rows, { headings, characterSet, ...onTerminal(isOurs) });
}

/** Only columns of our own choice are made to fit: what was asked for, losetup prints whole. */
function onTerminal(isOurs: boolean): Pick<TableOptions, "terminalColumns" | "omission"> {
  const columns = terminalColumns();
  if (columns === undefined || !isOurs) return { terminalColumns: columns };
  return { terminalColumns: columns, omission: isUtf8Locale() ? "…" : "..." };
}

function values(device: AnyDevice, columns: readonly KnownColumn[]): (string | undefined)[] {
  return columns.map(({ heading }) => device.cell(heading));
}

/**
 * What is missing is a dash, so that columns can be told apart by counting words; but losetup shows
 * nothing where one of its columns has no value for one of its devices.
 */
function shownCells(device: AnyDevice, columns: readonly KnownColumn[]): string[] {
  return columns.map(({ heading }) => {
    const isLosetups = device.isPlainLoop && !OWN_COLUMNS.has(heading);
    return device.cell(heading) ?? (isLosetups ? "" : "-");
  });
}

/** The locale is not looked at before there is something it has a say in. */
function characterSetFor(rows: readonly (readonly string[])[]): CharacterSet {
  // deno-lint-ignore no-control-regex
  const isAscii = rows.every((cells) => cells.every((cell) => /^[\x00-\x7f]*$/.test(cell)));
  return isAscii || isUtf8Locale() ? "utf-8" : "ascii";
}
