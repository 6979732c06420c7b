/**
 * The image whose devices are looked for.
 *
 * @module
 */
import { imageFileAt } from "../../disk/image_folder.ts";
import { SystemError } from "../../sys/errno.ts";
import { fileStatusIfAny } from "../../sys/files.ts";
import { realPath } from "../../sys/paths.ts";
import type { WantedFile } from "./device.ts";

/** What is known of a file, or of a folder that is an image, which need not exist, for telling whose devices are its. */
export function wantedFile(asked: string): WantedFile {
  const path = imageFileAt(asked);
  return { status: fileStatusIfAny(path), names: [path, canonical(path)] };
}

function canonical(path: string): string {
  try {
    return realPath(path);
  } catch (error) {
    if (error instanceof SystemError) return path;
    throw error;
  }
}
