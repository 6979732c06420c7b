/**
 * `--resize`: makes the disk of an image larger, be it attached or not.
 *
 * @module
 */
import { stateDirectory, StateStore } from "../daemon/state.ts";
import { growDevice } from "../device/grow_device.ts";
import { absolutePath } from "../device/device_names.ts";
import { growImage } from "../device/grow_image.ts";
import { isPassphraseMissing } from "../image/errors.ts";
import { forgetKeys, forgetPassphrase, keyRing } from "../image/key_ring.ts";
import { CommandError } from "../sys/command_error.ts";
import { complain } from "../sys/console.ts";
import { reasonOf } from "../sys/reason.ts";
import { makeNoCoreDump } from "../sys/secret.ts";
import { askForPassphrase, readKeyFile } from "./passphrase.ts";
import { withRealPaths } from "./real_paths.ts";
import type { GrowCommand } from "./words/command.ts";

/** @throws {CommandError} if it cannot be made so large; it has its old size then */
export function grow(command: GrowCommand, runtimeDirectory: string | undefined): number {
  const { target, keyFile, size } = command;
  try {
    const states = new StateStore(stateDirectory(runtimeDirectory));
    if (growDevice(target, size, states)) return 0;
    growUnlocked(command, keyFile === undefined ? undefined : readKeyFile(keyFile));
    return 0;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`${target}: failed to resize: ${reasonOf(error)}`);
  }
}

/** The passphrase is asked for when the image turns out to need one. */
function growUnlocked(command: GrowCommand, given: Uint8Array | undefined): void {
  try {
    growWith(command, given);
  } catch (error) {
    if (!isPassphraseMissing(error)) throw error;
    const answer = askForPassphrase(command.target);
    if (answer === undefined) throw error;
    growWith(command, answer);
  }
}

function growWith({ target, size, request }: GrowCommand, passphrase?: Uint8Array): void {
  if (passphrase !== undefined) makeNoCoreDump();
  const keys = keyRing(passphrase);
  try {
    const wanted = { request: withRealPaths(request), keys, size };
    const warnings = growImage(absolutePath(target), wanted);
    for (const warning of warnings) complain(`${target}: warning: ${warning}`);
  } finally {
    forgetPassphrase(keys);
    forgetKeys(keys);
    passphrase?.fill(0);
  }
}
