/**
 * What has to be so before an image is mounted.
 *
 * @module
 */
import { CommandError } from "../sys/command_error.ts";
import { ENOENT, SystemError } from "../sys/errno.ts";
import { fileStatus, readTextIfAny } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";
import { absoluteName } from "../sys/paths.ts";
import { reasonOf } from "../sys/reason.ts";

/** What mount(8) is told to mount all of fstab with, also among other letters that have no argument. */
const ALL = /^(?:--all|-[cfFilnrsvw]*a.*)$/;

/**
 * The folder that is mounted on, without links.
 *
 * @throws {CommandError} in mount's words, if it cannot be found
 */
export function mountPoint(folder: string): string {
  try {
    return absoluteName(folder);
  } catch (error) {
    const reason = isNoEntry(error) ? "mount point does not exist" : reasonOf(error);
    throw new CommandError(`${folder}: ${reason}`);
  }
}

function isNoEntry(error: unknown): boolean {
  return error instanceof SystemError && error.errno === ENOENT;
}

/** Whether there is no such file, for certain. */
export function isMissing(file: string): boolean {
  try {
    fileStatus(file);
    return false;
  } catch (error) {
    return isNoEntry(error);
  }
}

/**
 * mount(8) runs its helpers with the rights of whoever runs it, also where fstab(5) says `user`.
 *
 * @throws {CommandError} if it is not the superuser
 */
export function refuseOrdinaryUser(): void {
  if (libc().geteuid() === 0) return;
  throw new CommandError("only root can mount an image, also where fstab(5) says user or users");
}

/** Whether mount(8) goes through fstab(5), as far as can be told: `mount -a`. */
export function isOneOfAll(): boolean {
  const words = readTextIfAny(`/proc/${Deno.ppid}/cmdline`) ?? "";
  return words.split("\0").some((word) => ALL.test(word));
}
