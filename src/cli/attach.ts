/**
 * Setting up a device for an image.
 *
 * @module
 */
import type { Daemons } from "../daemon/launch.ts";
import { stateDirectory, StateStore } from "../daemon/state.ts";
import { openImageFile } from "../disk/open_file.ts";
import { NoFreeLoopError } from "../kernel/loop_control.ts";
import { EACCES, EPERM, SystemError } from "../sys/errno.ts";
import { fileStatusIfAny } from "../sys/files.ts";
import { absoluteName } from "../sys/paths.ts";
import { reasonOf } from "../sys/reason.ts";
import { makeNoCoreDump } from "../sys/secret.ts";
import { trace } from "../sys/trace.ts";
import {
  type Attached,
  type AttachRequest,
  PassphraseNeededError,
} from "../device/attach_common.ts";
import {
  chooseTransport,
  type ReasonedTransport,
  type TransportChoice,
  type UsedTransport,
} from "../device/choose_transport.ts";
import { type Attacher, attacherOf } from "../device/attachers.ts";
import { NoViewError } from "../device/no_view_error.ts";
import type { AttachCommand } from "../device/attach_command.ts";
import { idleOptions } from "../device/idle_options.ts";
import { CommandError } from "../sys/command_error.ts";
import { complain, print } from "../sys/console.ts";
import { ignoreFileSizeSignal } from "../sys/signals.ts";
import { resolveDevice } from "../device/device_names.ts";
import { withFileOfFolder } from "./image_folders.ts";
import { checkSectorSize } from "./words/values.ts";
import { askForPassphrase, readKeyFile } from "./passphrase.ts";

/** What an attach needs besides its command. */
export interface AttachMeans {
  readonly states: StateStore;
  readonly daemons: Daemons;
}

/**
 * Attaches the image, prints what was asked for, and returns when its device is usable, or has gone.
 *
 * @throws {CommandError} if that fails; nothing is left behind then
 */
export async function attach(
  asked: AttachCommand,
  runtimeDirectory: string | undefined,
  daemons: Daemons,
): Promise<number> {
  const command = withFileOfFolder(asked);
  const { pidFile } = command;
  if (pidFile !== undefined) (await import("./pid_file.ts")).checkPidFile(pidFile);
  const states = new StateStore(stateDirectory(runtimeDirectory));
  const attached = await attachDevice(command, { states, daemons });
  if (command.show) await show(attached, runtimeDirectory);
  await warn(attached, command);
  if (!command.foreground) return 0;
  const { stay } = await import("./foreground.ts");
  const { device } = attached;
  const { directory } = states;
  return await stay({ ...command, device, stateDirectory: directory, runtimeDirectory });
}

/**
 * Attaches the image, or finds the device that it has, if that will do.
 *
 * @param command names the image's file, also where a folder is the image
 * @throws {CommandError} if that fails; nothing is left behind then
 */
export async function attachDevice(
  command: AttachCommand,
  { states, daemons }: AttachMeans,
): Promise<Attached> {
  ignoreFileSizeSignal();
  const choice = await chooseTransport(command);
  const { transport, otherwise } = choice;
  if (otherwise === undefined) tell(command, choice);
  if (transport === "loop" && command.keyFile !== undefined) {
    complain(`${command.file}: warning: a RAW image is not decrypted: the passphrase is not used`);
  }
  if (transport !== "socket") (await import("../device/tidy.ts")).clearRemains();
  const there = await reused(command, choice, states);
  if (there !== undefined) return there;
  return transport === "loop"
    ? (await import("../device/loop_attach.ts")).attachPlainLoop(command, states)
    : await attachOurs(await setupOf(transport, choice), { command, states, daemons });
}

async function reused(
  command: AttachCommand,
  choice: TransportChoice,
  states: StateStore,
): Promise<Attached | undefined> {
  if (!command.noOverlap) return undefined;
  return (await import("../device/overlap.ts")).reusableDevice(command, choice, states);
}

/** Says what there is to be said of a device that is there. */
export async function warn({ device, warnings }: Attached, command: AttachCommand): Promise<void> {
  const { partitionWarning } = await import("../device/partition_warning.ts");
  const ofPartitions = command.socketPath === undefined
    ? partitionWarning(device, command)
    : undefined;
  for (const warning of [...warnings, ofPartitions]) {
    if (warning !== undefined) complain(`${command.file}: ${warning}`);
  }
}

/** Says which transport it is, and why, to those who want to know; and to all what that leaves idle. */
function tell(command: AttachCommand, chosen: ReasonedTransport): void {
  const { verbose, transport: asked, file } = command;
  const text = `transport ${chosen.transport}: ${chosen.why}`;
  trace("cli", () => text);
  if (verbose && asked === "auto") complain(text);
  for (const line of idleOptions(command, chosen.transport)) complain(`${file}: warning: ${line}`);
}

/** What makes a device, and what errors call that. */
interface Setup {
  readonly called: "loop device" | "socket";
  readonly attach: (request: AttachRequest) => ReturnType<Attacher> | Promise<Attached>;
}

async function setupOf(
  transport: Exclude<UsedTransport, "loop">,
  choice: TransportChoice,
): Promise<Setup> {
  const { otherwise } = choice;
  const called = transport === "socket" ? "socket" : "loop device";
  if (otherwise === undefined) return { called, attach: await attacherOf(transport) };
  const { attachViewFirst } = await import("../device/view_first.ts");
  const attach = (request: AttachRequest): Promise<Attached> =>
    attachViewFirst(request, {
      view: choice,
      otherwise,
      tell: (chosen) => tell(request.command, chosen),
    });
  return { called, attach };
}

async function attachOurs(
  setup: Setup,
  means: Omit<AttachRequest, "imagePath">,
): Promise<Attached> {
  const { command } = means;
  try {
    checkServedSectors(command);
    checkOrder(command);
    const imagePath = readableImage(command.file);
    prepare(means.states);
    return await attachUnlocked(setup, { ...means, imagePath });
  } catch (error) {
    const reason = explain(error, command);
    throw new CommandError(`${command.file}: failed to set up ${setup.called}: ${reason}`);
  }
}

/**
 * Whether a device of ours can have the sectors that were asked for.
 *
 * @throws {UsageError} if not
 */
function checkServedSectors({ sectorBytes }: AttachCommand): void {
  if (typeof sectorBytes === "number") checkSectorSize(sectorBytes);
}

/** @throws {CommandError} if device and image are plainly swapped */
function checkOrder({ device, file }: AttachCommand): void {
  if (device === undefined || fileStatusIfAny(device)?.kind !== "file") return;
  const { kind } = resolveDevice(file);
  if (kind === "other" || kind === "socket") return;
  throw new CommandError(`the device comes first, then the image ${device}`);
}

/** The passphrase is asked for when the image turns out to need one: most do not. */
async function attachUnlocked(setup: Setup, request: AttachRequest): Promise<Attached> {
  const { keyFile, file } = request.command;
  const given = keyFile === undefined ? undefined : readKeyFile(keyFile);
  try {
    return await attachWith(given, setup, request);
  } catch (error) {
    if (!(error instanceof PassphraseNeededError)) throw error;
    const answer = askForPassphrase(file);
    if (answer === undefined) throw error;
    return await attachWith(answer, setup, request);
  }
}

async function attachWith(
  passphrase: Uint8Array | undefined,
  { attach }: Setup,
  request: AttachRequest,
): Promise<Attached> {
  if (passphrase !== undefined) makeNoCoreDump();
  try {
    return await attach(passphrase === undefined ? request : { ...request, passphrase });
  } finally {
    passphrase?.fill(0);
  }
}

/** A new device whose name could not be told would never be detached. */
async function show(
  { shown, device, isNew }: Attached,
  runtimeDirectory: string | undefined,
): Promise<void> {
  try {
    print(`${shown}\n`);
  } catch (error) {
    if (isNew) (await import("./detach.ts")).detach([device], runtimeDirectory);
    throw error;
  }
}

/** Why it failed, with the file or device it was about, and what would work instead. */
function explain(
  error: unknown,
  { file, transport }: Pick<AttachCommand, "file" | "transport">,
): string {
  if (error instanceof NoFreeLoopError) return explain(error.cause, { file, transport });
  if (error instanceof NoViewError) return `${reasonOf(error)} (--transport nbd or fuse)`;
  if (!(error instanceof SystemError)) return reasonOf(error);
  const { path, errno, message } = error;
  const isAboutOther = path !== undefined && path !== file && !path.endsWith(`/${file}`);
  const isAboutRights = errno === EPERM || (errno === EACCES && path?.startsWith("/dev/"));
  const hint = isAboutRights && transport !== "socket" ? "; --socket works without root" : "";
  return `${isAboutOther ? `${path}: ` : ""}${message}${hint}`;
}

function prepare(states: StateStore): void {
  try {
    states.prepare();
  } catch (error) {
    throw new CommandError(`cannot keep state in ${states.directory}: ${reasonOf(error)}`);
  }
}

/** Finds out early, before anything is started, whether the image can be read at all. */
function readableImage(file: string): string {
  const path = absoluteName(file);
  using image = openImageFile(path, { readOnly: true }).file;
  if (image.status.kind === "block" && image.sizeBytes === 0) {
    throw new CommandError("the device is empty: the image stands last, behind a device");
  }
  return path;
}
