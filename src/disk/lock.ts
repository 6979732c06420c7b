/**
 * Locks on image files, in the manner of qemu: open-file-description locks on single bytes, so that
 * qemu and this program keep out of each other's way.
 *
 * A process that does X to an image holds a shared lock on byte 100 + X; one that cannot bear others
 * doing X holds a shared lock on byte 200 + X (qemu, block/file-posix.c, RAW_LOCK_PERM_BASE and
 * RAW_LOCK_SHARED_BASE; the kinds of use are BLK_PERM_* of include/block/block-common.h).
 *
 * @module
 */
import { type ByteLock, isLockedByOthers, isWithoutLocks, tryToLock } from "../sys/file_locks.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { lockHolder } from "./lock_holder.ts";

const PERMISSION_BASE = 100;
const SHARING_BASE = 200;
const Use = { ConsistentRead: 0, Write: 1, Resize: 3 } as const;

/** Another program uses the image in a way that forbids what was asked. */
export class ImageInUseError extends Error {
  override readonly name = "ImageInUseError";

  constructor(
    readonly path: string,
    /** Who uses it, for example `qemu-nbd (pid 123)`, where that could be found out. */
    readonly holder: string | undefined,
    wantedWrite: boolean,
  ) {
    const who = holder ?? "another program";
    const how = wantedWrite ? "is in use by" : "is being written by";
    super(`the image ${how} ${who}`);
  }
}

/**
 * Takes the locks for reading, or for reading and writing, `file`. They last until it is closed. Until
 * then somebody else may have made it longer: the size to go by is the one it has with them.
 *
 * @returns false where the file system has no locks
 * @throws {ImageInUseError} if another program's use does not allow it
 */
export function lockImage(file: ImageFile, mode: "read" | "write"): boolean {
  const isLocked = hasTakenLocks(file, mode);
  file.takeSize();
  return isLocked;
}

function hasTakenLocks(file: ImageFile, mode: "read" | "write"): boolean {
  try {
    takeLocks(file, mode);
  } catch (error) {
    if (isWithoutLocks(error)) return false;
    throw error;
  }
  return true;
}

function takeLocks(file: ImageFile, mode: "read" | "write"): void {
  const writes = mode === "write";
  const uses = writes ? [Use.ConsistentRead, Use.Write, Use.Resize] : [Use.ConsistentRead];
  const unshared = [Use.Write, Use.Resize];
  for (const use of uses) setLock(file, PERMISSION_BASE + use);
  for (const use of unshared) setLock(file, SHARING_BASE + use);
  const conflicts = [
    ...uses.map((use) => SHARING_BASE + use),
    ...unshared.map((use) => PERMISSION_BASE + use),
  ];
  const conflict = conflicts.find((byte) => isLockedByOthers(file.fd, byteOf(file, byte)));
  if (conflict === undefined) return;
  throw new ImageInUseError(file.path, lockHolder(file.status, conflict), writes);
}

/**
 * Refuses where another program writes the image and counts on being the only one; takes no lock. For
 * writers that, as losetup's do, tolerate each other.
 *
 * @throws {ImageInUseError} if there is such a program
 */
export function refuseBesideWriter(file: ImageFile): void {
  const claim = [PERMISSION_BASE + Use.Write, SHARING_BASE + Use.Write];
  try {
    if (!claim.every((byte) => isLockedByOthers(file.fd, byteOf(file, byte)))) return;
  } catch (error) {
    if (isWithoutLocks(error)) return;
    throw error;
  }
  const holder = lockHolder(file.status, PERMISSION_BASE + Use.Write);
  throw new ImageInUseError(file.path, holder, true);
}

/** Locks one byte, shared. Only somebody's exclusive lock can be in the way. */
function setLock(file: ImageFile, byte: number): void {
  if (tryToLock(file.fd, { kind: "shared", ...byteOf(file, byte) })) return;
  throw new ImageInUseError(file.path, lockHolder(file.status, byte), false);
}

function byteOf({ path }: ImageFile, byte: number): Omit<ByteLock, "kind"> {
  return { byte, path };
}
