/**
 * Setting up a device for an image.
 *
 * @module
 */
import type { Daemons } from "../daemon/launch.ts";
import { stateDirectory, StateStore } from "../daemon/state.ts";
import { openImageFile } from "../disk/open.ts";
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
import { attachPlainLoop } from "../device/loop_attach.ts";
import {
  chooseTransport,
  type ReasonedTransport,
  type TransportChoice,
  type UsedTransport,
} from "../device/choose_transport.ts";
import type { DeviceOperations } from "../device/operations.ts";
import { NoViewError } from "../device/view_devices.ts";
import { attachViewFirst } from "../device/view_first.ts";
import type { AttachCommand } from "../device/attach_command.ts";
import { CommandError } from "../sys/command_error.ts";
import { complain, print } from "../sys/console.ts";
import { detach } from "./detach.ts";
import { resolveDevice } from "../device/device_names.ts";
import { reusableDevice } from "../device/overlap.ts";
import { partitionWarning } from "../device/partition_warning.ts";
import { clearRemains } from "../device/tidy.ts";
import { operationsOf } from "../device/transport_table.ts";
import { checkSectorSize } from "./words/values.ts";
import { askForPassphrase, readKeyFile } from "./passphrase.ts";

/**
 * Attaches the image and returns when its device is usable.
 *
 * @throws {CommandError} if that fails; nothing is left behind then
 */
export function attach(
  command: AttachCommand,
  runtimeDirectory: string | undefined,
  daemons: Daemons,
): number {
  const states = new StateStore(stateDirectory(runtimeDirectory));
  const choice = chooseTransport(command);
  const { transport, otherwise } = choice;
  if (otherwise === undefined) tell(command, choice);
  if (transport === "loop" && command.keyFile !== undefined) {
    complain(`${command.file}: warning: a RAW image is not decrypted: the passphrase is not used`);
  }
  if (transport !== "socket") clearRemains();
  const attached = (command.noOverlap ? reusableDevice(command, choice, states) : undefined) ??
    (transport === "loop"
      ? attachPlainLoop(command, states)
      : attachOurs(setupOf(transport, choice), { command, states, daemons }));
  if (command.show) show(attached, runtimeDirectory);
  warn(attached, command);
  return 0;
}

function warn({ device, warnings }: Attached, { file, partScan }: AttachCommand): void {
  const missing = partScan ? partitionWarning(device) : undefined;
  for (const warning of [...warnings, missing]) {
    if (warning !== undefined) complain(`${file}: ${warning}`);
  }
}

/** Says which transport it is, and why, to those who want to know. */
function tell({ verbose, transport: asked }: AttachCommand, chosen: ReasonedTransport): void {
  const text = `transport ${chosen.transport}: ${chosen.why}`;
  trace("cli", () => text);
  if (verbose && asked === "auto") complain(text);
}

/** What makes a device, and what errors call that. */
type Setup = Pick<DeviceOperations, "called" | "attach">;

function setupOf(transport: Exclude<UsedTransport, "loop">, choice: TransportChoice): Setup {
  const { otherwise } = choice;
  const setup = operationsOf({ transport });
  if (otherwise === undefined) return setup;
  const attach = (request: AttachRequest): Attached =>
    attachViewFirst(request, {
      view: choice,
      otherwise,
      tell: (chosen) => tell(request.command, chosen),
    });
  return { called: setup.called, attach };
}

function attachOurs(setup: Setup, means: Omit<AttachRequest, "imagePath">): Attached {
  const { command } = means;
  try {
    checkServedSectors(command);
    checkOrder(command);
    const imagePath = readableImage(command.file);
    prepare(means.states);
    return attachUnlocked(setup, { ...means, imagePath });
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
function checkServedSectors({ sectorSizeBytes }: AttachCommand): void {
  if (sectorSizeBytes !== undefined) checkSectorSize(sectorSizeBytes);
}

/** @throws {CommandError} if device and image are plainly swapped */
function checkOrder({ device, file }: AttachCommand): void {
  if (device === undefined || fileStatusIfAny(device)?.kind !== "file") return;
  const { kind } = resolveDevice(file);
  if (kind === "other" || kind === "socket") return;
  throw new CommandError(`the device comes first, then the image ${device}`);
}

/** The passphrase is asked for when the image turns out to need one: most do not. */
function attachUnlocked(setup: Setup, request: AttachRequest): Attached {
  const { keyFile, file } = request.command;
  const given = keyFile === undefined ? undefined : readKeyFile(keyFile);
  try {
    return attachWith(given, setup, request);
  } catch (error) {
    if (!(error instanceof PassphraseNeededError)) throw error;
    const answer = askForPassphrase(file);
    if (answer === undefined) throw error;
    return attachWith(answer, setup, request);
  }
}

function attachWith(
  passphrase: Uint8Array | undefined,
  { attach }: Setup,
  request: AttachRequest,
): Attached {
  if (passphrase !== undefined) makeNoCoreDump();
  try {
    return attach(passphrase === undefined ? request : { ...request, passphrase });
  } finally {
    passphrase?.fill(0);
  }
}

/** A new device whose name could not be told would never be detached. */
function show({ shown, device, isNew }: Attached, runtimeDirectory: string | undefined): void {
  try {
    print(`${shown}\n`);
  } catch (error) {
    if (isNew) detach([device], runtimeDirectory);
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
  using _image = openImageFile(path, { readOnly: true }).file;
  return path;
}
