/**
 * What to tell whoever has typed an image alone, where a device is expected.
 *
 * @module
 */
import { isSupported, lookOf } from "../disk/format_hints.ts";
import { imageFileAt } from "../disk/image_folder.ts";
import { NoDeviceError } from "../device/device_names.ts";
import { openImageFile } from "../disk/open_file.ts";
import { recognise } from "../disk/probe.ts";
import { CommandError } from "../sys/command_error.ts";
import { shellPath } from "./words/shell_word.ts";

/**
 * The error of a command whose only word is `name`, with what to type instead if that is an image. (Of
 * a file that does not look like one, losetup says no more either.)
 */
export function hinting(error: unknown, name: string): unknown {
  return error instanceof NoDeviceError ? new CommandError(error.message + hint(name)) : error;
}

function hint(name: string): string {
  try {
    using file = openImageFile(imageFileAt(name), { readOnly: true }).file;
    const found = recognise(file);
    if (found === undefined || !isSupported(found)) return prefixed(lookOf(file));
    return `; to attach the image: tslosetup -r --find --show -t ${found.name} ${shellPath(name)}`;
  } catch (error) {
    // What cannot be read, or is no file, is no image.
    if (error instanceof Error) return "";
    throw error;
  }
}

function prefixed(look: string | undefined): string {
  return look === undefined ? "" : `; it ${look}`;
}
