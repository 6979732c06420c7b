/**
 * Runs one command line.
 *
 * @module
 */
import { FORMAT_NAMES, FORMATS } from "../image/formats.ts";
import { reasonOf } from "../sys/reason.ts";
import { type Command, type ImageCommand, parseCommand } from "./words/command.ts";
import { CommandError } from "../sys/command_error.ts";
import { complain, print, printError } from "../sys/console.ts";
import { helpText, versionText } from "./help.ts";
import { UsageError, usageErrorText } from "./words/usage_error.ts";
import { VERSION } from "./version.ts";

/**
 * Does what `args` ask for.
 *
 * @param runtimeDirectory XDG_RUNTIME_DIR, where a user other than root keeps state
 * @returns the exit code: 0, or 1 for every failure
 */
export async function runCommand(
  args: readonly string[],
  runtimeDirectory: string | undefined,
): Promise<number> {
  try {
    return await perform(parseCommand(args, FORMAT_NAMES), runtimeDirectory);
  } catch (error) {
    if (error instanceof UsageError) printError(await hinted(error, args));
    else if (error instanceof CommandError) complain(await withHint(error, args));
    else complain(`failed: ${await explained(error)}`);
    return 1;
  }
}

/** A wrong use, and what stands here for it where it is right for qemu-nbd. */
async function hinted(error: UsageError, args: readonly string[]): Promise<string> {
  return usageErrorText(error, "tslosetup", await hintOf(args, error.unknownOption));
}

/** Lines of qemu-nbd's can be right here, and ask for devices that are none. */
async function withHint({ message }: CommandError, args: readonly string[]): Promise<string> {
  const hint = await hintOf(args);
  return hint === undefined ? message : `${message}; ${hint}`;
}

/** The hints are loaded when something has failed. */
async function hintOf(args: readonly string[], unknown?: string): Promise<string | undefined> {
  return (await import("./words/qemu_nbd_hint.ts")).qemuNbdHint(args, unknown);
}

/** What was not foreseen, with the file it is about. Only system calls need the C library here. */
async function explained(error: unknown): Promise<string> {
  const { SystemError } = await import("../sys/errno.ts");
  const path = error instanceof SystemError ? error.path : undefined;
  return path === undefined ? reasonOf(error) : `${path}: ${reasonOf(error)}`;
}

/** A folder that is an image stands for the file in it that says so. */
async function ofFolder(command: ImageCommand): Promise<ImageCommand> {
  return (await import("./image_folders.ts")).withFileOfFolder(command);
}

/** Actions are loaded when they are needed: what prints a text shall not open the C library. */
async function perform(command: Command, runtimeDirectory: string | undefined): Promise<number> {
  switch (command.kind) {
    case "help":
      print(helpText(FORMATS));
      return 0;
    case "man":
      return (await import("./docs/generate.ts")).generate("man");
    case "version":
      print(versionText(VERSION));
      return 0;
    case "attach": {
      using daemons = (await import("./head_start.ts")).headStart(command);
      return await (await import("./attach.ts")).attach(command, runtimeDirectory, daemons);
    }
    case "detach":
      return (await import("./detach.ts")).detachAsked(command, runtimeDirectory);
    case "detachAll":
      return (await import("./detach.ts")).detachAll(runtimeDirectory);
    case "resize":
      return (await import("./resize.ts")).resize(command, runtimeDirectory);
    case "grow":
      return (await import("./grow.ts")).grow(command, runtimeDirectory);
    case "changeSnapshots":
      return (await import("./snapshots.ts")).changeSnapshots(command, runtimeDirectory);
    case "directIo":
    case "sectorSize":
      return (await import("./adjust.ts")).adjust(command);
    case "tab":
      return await (await import("./tab.ts")).tab(command, runtimeDirectory);
    case "remove":
      return (await import("./remove.ts")).remove(command.devices);
    case "list":
      return (await import("./list.ts")).list(command, runtimeDirectory);
    case "info":
      return (await import("./info.ts")).info(await ofFolder(command));
    case "map":
      return (await import("./map.ts")).map(await ofFolder(command));
    case "check":
      return (await import("./check.ts")).check(await ofFolder(command));
    case "commit":
      return (await import("./commit.ts")).commit(await ofFolder(command));
    case "status":
      return (await import("./list.ts")).status(command.device, runtimeDirectory);
    case "find":
      return (await import("./find.ts")).find();
  }
}
