/**
 * What mount(8) and umount(8) run for images.
 *
 * @module
 */
import { PROGRAM_MARK } from "./program_mark.ts";

/** `/sbin/mount.tslosetup` */
export function mountHelper(): string {
  return `#!/bin/sh
# Made by tslosetup. mount(8) runs this for images: mount -t tslosetup IMAGE FOLDER.
exec "${PROGRAM_MARK}" --internal-mount "$@"
`;
}

/** `/sbin/umount.tslosetup` */
export function umountHelper(): string {
  return `#!/bin/sh
# Made by tslosetup. umount(8) runs this for what mount.tslosetup has mounted.
exec "${PROGRAM_MARK}" --internal-umount "$@"
`;
}
