/**
 * What an image is called now: it may have been renamed or deleted, or its folder, since it was attached.
 *
 * @module
 */
import { filesBelowViews } from "../../device/own_view.ts";
import type { ViewDescription } from "../../view/description.ts";
import { idHere } from "../../daemon/processes.ts";
import type { AttachedFile, AttachState } from "../../daemon/state.ts";
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

/** Whether a file is the image of a state, or of a view, or is a layer over one. */
export function isImageOf(
  { imageDevice: [major, minor], imageInode }: AttachedFile,
  { deviceMajor, deviceMinor, inode }: FileIdentity,
): boolean {
  return major === deviceMajor && minor === deviceMinor && imageInode === inode;
}

/**
 * The path of an image: that by which it was attached, if it still is there, else that by which its
 * daemon has it open, else the first one with the kernel's mark of what was deleted.
 */
export function currentImageName(state: AttachState): string {
  return currentName(state, () => openFileNames(idHere(state)));
}

/** The same of an image that a view shows: the loop devices below it have the image open. */
export function currentViewName(shown: ViewDescription): string {
  return currentName(shown, filesBelowViews);
}

function currentName(known: AttachedFile, otherNames: () => readonly string[]): string {
  const { image } = known;
  if (isAt(image, known)) return image;
  return otherNames().find((name) => isAt(name, known)) ?? `${image} (deleted)`;
}

function isAt(path: string, known: AttachedFile): boolean {
  const status = fileStatusIfAny(path);
  return status !== undefined && isImageOf(known, status);
}

/** Paths of what a process has open; none if there is none, or it is another user's. */
function openFileNames(pid: number | undefined): string[] {
  if (pid === undefined) return [];
  const folder = `/proc/${pid}/fd`;
  return listDirectory(folder)
    .map((descriptor) => ifPossible(() => readLink(`${folder}/${descriptor}`)))
    .filter((target) => target?.startsWith("/") === true) as string[];
}
