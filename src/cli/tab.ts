/**
 * `--tab`: devices of the images in /etc/tslosetuptab.
 *
 * @module
 */
import { stateDirectory, StateStore } from "../daemon/state.ts";
import { isStale } from "../daemon/state.ts";
import { FORMAT_NAMES } from "../image/formats.ts";
import { CommandError } from "../sys/command_error.ts";
import { complain } from "../sys/console.ts";
import { readTextIfAny } from "../sys/files.ts";
import { reasonOf } from "../sys/reason.ts";
import { attachDevice, warn } from "./attach.ts";
import { detach } from "./detach.ts";
import { headStart } from "./head_start.ts";
import { withFileOfFolder } from "./image_folders.ts";
import { allDevices } from "./listing/devices.ts";
import { wantedFile } from "./listing/wanted_file.ts";
import { attachOfLine, has, labelOf, parseTab, TAB_PATH, type TabLine } from "./words/tab.ts";
import type { TabCommand } from "./words/tab_command.ts";

/** @returns the exit code: 1 if one failed, unless it is `nofail` */
export async function tab(
  { action, name, verbose }: TabCommand,
  runtimeDirectory: string | undefined,
): Promise<number> {
  const lines = linesNamed(name, { mayBeGone: action === "detach" });
  const states = new StateStore(stateDirectory(runtimeDirectory));
  if (action === "detach") {
    return detach(lines.flatMap((line) => devicesOf(line, states)), runtimeDirectory, {
      force: false,
      verbose,
    });
  }
  let code = 0;
  for (const line of lines) {
    if (!await attachLine(line, states, verbose) && !has(line, "nofail")) code = 1;
  }
  return code;
}

/** An absolute path is an image, whether a line has it or not. */
function linesNamed(
  name: string | undefined,
  { mayBeGone }: { readonly mayBeGone: boolean },
): TabLine[] {
  const lines = parseTab(readTextIfAny(TAB_PATH) ?? "");
  if (name === undefined) return lines.filter((line) => mayBeGone || !has(line, "noauto"));
  const found = lines.find((line) => line.name === name);
  if (found !== undefined) return [found];
  if (name.startsWith("/") || mayBeGone) {
    return [{ name, image: name, device: undefined, options: [] }];
  }
  throw new CommandError(`${name}: not in ${TAB_PATH}`);
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
    complain(error instanceof CommandError ? error.message : `${line.name}: ${reasonOf(error)}`);
    return false;
  }
}
