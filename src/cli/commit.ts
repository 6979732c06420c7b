/**
 * `--commit`: writes what an overlay has to the image below it.
 *
 * @module
 */
import { absolutePath } from "../device/device_names.ts";
import type { ImageRequest } from "../disk/request.ts";
import { isPassphraseMissing } from "../image/errors.ts";
import { keyRing } from "../image/key_ring.ts";
import { commitOverlay } from "../loop/commit_overlay.ts";
import { CommandError } from "../sys/command_error.ts";
import { folderOf } from "../sys/paths.ts";
import { reasonOf } from "../sys/reason.ts";
import { makeNoCoreDump } from "../sys/secret.ts";
import { askForPassphrase, readKeyFile } from "./passphrase.ts";
import { ProgressLine } from "../device/progress_line.ts";
import { withRealPaths } from "./real_paths.ts";
import { type ImageCommand, imageRequest } from "./words/image_command.ts";

/**
 * Returns when the image has all of it, durably, and the overlay has nothing.
 *
 * @throws {CommandError} if that cannot be done; the overlay then shows what it has shown
 */
export function commit(command: ImageCommand): number {
  const { file, keyFile } = command;
  const given = keyFile === undefined ? undefined : readKeyFile(keyFile);
  try {
    commitUnlocked(command, given);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new CommandError(`${file}: failed to commit: ${reasonOf(error)}`);
  }
  return 0;
}

/** The passphrase is asked for when it turns out that one is needed. */
function commitUnlocked(command: ImageCommand, passphrase: Uint8Array | undefined): void {
  try {
    commitWith(command, passphrase);
  } catch (error) {
    const answer = isPassphraseMissing(error) ? askForPassphrase(command.file) : undefined;
    if (answer === undefined) throw error;
    commitWith(command, answer);
  }
}

function commitWith(command: ImageCommand, passphrase: Uint8Array | undefined): void {
  if (passphrase !== undefined) makeNoCoreDump();
  using progress = new ProgressLine();
  const path = absolutePath(command.file);
  commitOverlay(path, writableRequest(command, path), {
    keys: keyRing(passphrase),
    progress: (part) => progress.show(part),
  });
}

function writableRequest(command: ImageCommand, path: string): ImageRequest {
  return {
    ...withRealPaths(imageRequest(command)),
    readOnly: false,
    namesFolder: folderOf(path),
  };
}
