/**
 * `--tab`: devices of the images in /etc/tslosetuptab.
 *
 * @module
 */
import { isStale, stateDirectory, StateStore } from "../daemon/state.ts";
import { FORMAT_NAMES } from "../image/formats.ts";
import { CommandError } from "../sys/command_error.ts";
import { complain } from "../sys/console.ts";
import { fileStatusIfAny, readTextIfAny } from "../sys/files.ts";
import { reasonOf } from "../sys/reason.ts";
import { attachDevice, warn } from "./attach.ts";
import { detach } from "./detach.ts";
import { headStart } from "./head_start.ts";
import { withFileOfFolder } from "./image_folders.ts";
import { allDevices } from "./listing/devices.ts";
import { wantedFile } from "./listing/wanted_file.ts";
import {
  attachOfLine,
  has,
  labelOf,
  parseTab,
  TAB_PATH,
  type Table,
  type TabLine,
} from "./words/tab.ts";
import type { TabCommand } from "./words/tab_command.ts";
import { UsageError } from "./words/usage_error.ts";

const FAILED = 1;

/** @returns the exit code: 1 if one failed, unless it is `nofail` */
export async function tab(
  { action, name, verbose }: TabCommand,
  runtimeDirectory: string | undefined,
): Promise<number> {
  const asked = linesAsked(name);
  const states = new StateStore(stateDirectory(runtimeDirectory));
  for (const { message } of asked.faults) complain(message);
  const code = action === "detach"
    ? detachLines(asked.lines, { states, verbose, runtimeDirectory })
    : await attachLines(asked.lines.filter(isWanted(name)), states, verbose);
  return asked.faults.length > 0 ? FAILED : code;
}

/** The lines that are asked for, and what is wrong with those. An absolute path is an image, whether a line has it or not. */
function linesAsked(name: string | undefined): Table {
  const table = parseTab(tableText());
  if (name === undefined) return table;
  const line = table.lines.find((candidate) => candidate.name === name);
  if (line !== undefined) return { lines: [line], faults: [] };
  const faults = table.faults.filter((fault) => fault.name === name);
  const unlisted = { number: 0, name, image: name, device: undefined, options: [] };
  return { lines: faults.length > 0 ? [] : [unlisted], faults };
}

/** @throws {CommandError} if it is something else than a file; none at all is one without lines */
function tableText(): string {
  const kind = fileStatusIfAny(TAB_PATH)?.kind;
  if (kind === "directory" || kind === "fifo") {
    throw new CommandError(`${TAB_PATH}: not a regular file`);
  }
  return readTextIfAny(TAB_PATH) ?? "";
}

/** One that is named is wanted even if it is not to come by itself. */
function isWanted(name: string | undefined): (line: TabLine) => boolean {
  return (line) => name !== undefined || !has(line, "noauto");
}

interface DetachMeans {
  readonly states: StateStore;
  readonly verbose: boolean;
  readonly runtimeDirectory: string | undefined;
}

/** What has no device is as it should be, unless nobody knows it. */
function detachLines(
  lines: readonly TabLine[],
  { states, verbose, runtimeDirectory }: DetachMeans,
): number {
  const devices = lines.map((line) => devicesOf(line, states));
  const unknown = lines.filter((line, i) => devices[i]?.length === 0 && isUnknown(line));
  for (const { name } of unknown) complain(`${name}: not in ${TAB_PATH}`);
  const code = detach(devices.flat(), runtimeDirectory, { force: false, verbose });
  return unknown.length > 0 ? FAILED : code;
}

function isUnknown({ number, image }: TabLine): boolean {
  return number === 0 && !image.startsWith("/");
}

async function attachLines(
  lines: readonly TabLine[],
  states: StateStore,
  verbose: boolean,
): Promise<number> {
  let code = 0;
  for (const line of lines) {
    if (!await attachLine(line, states, verbose) && !has(line, "nofail")) code = FAILED;
  }
  return code;
}

function devicesOf(line: TabLine, states: StateStore): string[] {
  const all = states.all();
  const served = all.find(({ tabName }) => tabName === line.name);
  if (served !== undefined) return [served.device];
  const wanted = wantedFile(line.image);
  return allDevices(all)
    .filter((device) => device.isOf(wanted) && device.cell("REF") === labelOf(line))
    .map(({ path }) => path);
}

/** @returns whether the image has its device now; one that it had before will do */
async function attachLine(line: TabLine, states: StateStore, verbose: boolean): Promise<boolean> {
  if (isUnknown(line)) {
    complain(`${line.name}: not in ${TAB_PATH}`);
    return false;
  }
  const dead = states.all().filter((state) => isStale(state) && state.tabName === line.name);
  for (const state of dead) states.remove(state);
  const [there] = devicesOf(line, states);
  if (there !== undefined) {
    if (verbose) complain(`${line.name} is attached already: ${there}`);
    return true;
  }
  try {
    const command = withFileOfFolder(attachOfLine(line, FORMAT_NAMES));
    using daemons = headStart(command);
    const attached = await attachDevice(command, { states, daemons });
    if (verbose) complain(`${line.name} is attached: ${attached.device}`);
    await warn(attached, command);
    return true;
  } catch (error) {
    const isTold = error instanceof CommandError || error instanceof UsageError;
    complain(isTold ? error.message : `${line.name}: ${reasonOf(error)}`);
    return false;
  }
}
