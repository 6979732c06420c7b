/**
 * What to tell whoever has typed an image alone, where a device is expected.
 *
 * @module
 */
import { isSupported, likeness } from "../disk/format_hints.ts";
import { NoDeviceError } from "../device/device_names.ts";
import { openImageFile } from "../disk/open_file.ts";
import { recognise, type Recognised } from "../disk/probe.ts";
import { CommandError } from "../sys/command_error.ts";

/** What a shell takes as one word as it stands. */
const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

/**
 * The error of a command whose only word is `name`, with what to type instead if that is an image. (Of
 * a file that does not look like one, losetup says no more either.)
 */
export function hinting(error: unknown, name: string): unknown {
  return error instanceof NoDeviceError ? new CommandError(error.message + hint(name)) : error;
}

function hint(name: string): string {
  const found = recognisedAt(name);
  if (found === undefined) return "";
  if (!isSupported(found)) return `; it ${likeness(found)}, which is not supported`;
  return `; to attach the image: tslosetup -r --find --show -t ${found.name} ${shellWord(name)}`;
}

/** Undefined also for what cannot be read, or is no file. */
function recognisedAt(path: string): Recognised | undefined {
  try {
    using file = openImageFile(path, { readOnly: true }).file;
    return recognise(file);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

function shellWord(name: string): string {
  const word = name.startsWith("-") ? `./${name}` : name;
  return PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
