/**
 * Who decides which file a name in an image means, and whether they could read (or write to) that file
 * themselves: then showing it tells them nothing, and what becomes of it is up to them.
 *
 *     image, mode 0644              its owner
 *     image, mode 0664 or 0646      everybody: who is in a group, nobody can tell for sure
 *     folder of a relative name     likewise, where it could hold links that others have made
 *
 * @module
 */
import type { FileStatus } from "../sys/files.ts";

const WRITABLE_BY_OTHERS = 0o022;
const READABLE_BY_ALL = 0o044;
const WRITABLE_BY_ALL = 0o066;
const SEARCHABLE_BY_ALL = 0o011;
const ROOT = 0;

type Rights = Pick<FileStatus, "uid" | "mode">;

/** Users who have had a say; root and the user who runs this program count like all others. */
export interface Choosers {
  readonly everybody: boolean;
  readonly uids: readonly number[];
}

/** Whether group or others may write to a file or folder. */
export function isWritableByOthers({ mode }: Rights): boolean {
  return (mode & WRITABLE_BY_OTHERS) !== 0;
}

/** Those who may write to any of `written`. */
export function choosersOf(written: readonly Rights[]): Choosers {
  return { everybody: written.some(isWritableByOthers), uids: written.map(({ uid }) => uid) };
}

/**
 * Whether all of `choosers` could open `file`, as far as that lies in it and in the folders that lead
 * to it.
 *
 * @param self the user who runs this program: what that one could open needs no other permission
 * @param isWritten whether for writing, too
 */
export function canOpen(
  choosers: Choosers,
  { file, folders, self, isWritten }: {
    readonly file: Rights;
    readonly folders: readonly Rights[];
    readonly self: number;
    readonly isWritten: boolean;
  },
): boolean {
  const can = (target: Rights, everybodysBits: number): boolean =>
    (target.mode & everybodysBits) === everybodysBits ||
    !choosers.everybody &&
      choosers.uids.every((uid) => uid === target.uid || uid === self || uid === ROOT);
  return can(file, isWritten ? WRITABLE_BY_ALL : READABLE_BY_ALL) &&
    folders.every((folder) => can(folder, SEARCHABLE_BY_ALL));
}
