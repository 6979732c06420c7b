/**
 * What an image is called now: it may have been renamed or deleted, or its folder, since it was attached.
 *
 * @module
 */
import { idHere } from "../../daemon/processes.ts";
import type { AttachState } from "../../daemon/state.ts";
import { ifPossible } from "../../sys/errno.ts";
import { fileStatusIfAny } from "../../sys/files.ts";
import { listDirectory } from "../../sys/directories.ts";
import { readLink } from "../../sys/paths.ts";

/** Which file it is, whatever it is called. */
export interface FileIdentity {
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly inode: number;
}

/** Whether a file is the image of a state. */
export function isImageOf(
  { imageDevice: [major, minor], imageInode }: AttachState,
  { deviceMajor, deviceMinor, inode }: FileIdentity,
): boolean {
  return major === deviceMajor && minor === deviceMinor && imageInode === inode;
}

/**
 * The path of an image: that by which it was attached, if it still is there, else that by which its
 * daemon has it open, else the first one with the kernel's mark of what was deleted.
 */
export function currentImageName(state: AttachState): string {
  const { image } = state;
  const names = isAt(image, state) ? [image] : openFileNames(idHere(state));
  return names.find((name) => isAt(name, state)) ?? `${image} (deleted)`;
}

function isAt(path: string, state: AttachState): boolean {
  const status = fileStatusIfAny(path);
  return status !== undefined && isImageOf(state, status);
}

/** Paths of what a process has open; none if there is none, or it is another user's. */
function openFileNames(pid: number | undefined): string[] {
  if (pid === undefined) return [];
  const folder = `/proc/${pid}/fd`;
  return listDirectory(folder)
    .map((descriptor) => ifPossible(() => readLink(`${folder}/${descriptor}`)))
    .filter((target) => target?.startsWith("/") === true) as string[];
}
