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
import { LockTable } from "./lock_table.ts";

const PERMISSION_BASE = 100;
const SHARING_BASE = 200;
const Use = { ConsistentRead: 0, Write: 1, Resize: 3 } as const;

/** What a plain loop device locks, and the byte that says so: beyond those of qemu. */
interface LoopMark {
  readonly bytes: readonly number[];
  readonly byte: number;
}
const CHANGES = [Use.Write, Use.Resize];
const LoopMark = {
  uses: { bytes: CHANGES.map((use) => PERMISSION_BASE + use), byte: 301 },
  denies: { bytes: CHANGES.map((use) => SHARING_BASE + use), byte: 303 },
} as const satisfies Readonly<Record<string, LoopMark>>;

/** What the user is told of a file that cannot be locked. */
export const WITHOUT_LOCKS =
  "the file system has no locks: nothing keeps others from writing to the image";

/** An open file, as far as locks on it go. */
export type LockedFile = Pick<ImageFile, "fd" | "path" | "status">;

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
 * Takes the locks of a plain loop device, which the driver then holds with the file. They are those of
 * any reader or writer, but plain loop devices bear each other, as losetup's do: what is locked in the
 * name of one is marked. Beside a writer, a reader only says that it reads.
 *
 * @returns false where the file system has no locks
 * @throws {ImageInUseError} if another program's use does not allow it
 */
export function lockForLoop(file: LockedFile, mode: "read" | "write"): boolean {
  try {
    takeLoopLocks(file, mode);
  } catch (error) {
    if (isWithoutLocks(error)) return false;
    throw error;
  }
  return true;
}

function takeLoopLocks(file: LockedFile, mode: "read" | "write"): void {
  const writes = mode === "write";
  setLock(file, PERMISSION_BASE + Use.ConsistentRead);
  if (!writes && isUsed(file, LoopMark.uses)) return;
  const marks = writes ? [LoopMark.uses, LoopMark.denies] : [LoopMark.denies];
  for (const mark of marks) for (const byte of [...mark.bytes, mark.byte]) setLock(file, byte);
  const denied = writes && isUsed(file, LoopMark.denies);
  if (!denied && !isUsed(file, LoopMark.uses)) return;
  throw new ImageInUseError(
    file.path,
    holderOf(file, denied ? LoopMark.denies : LoopMark.uses),
    true,
  );
}

/** Whether anybody but plain loop devices has one of the bytes locked. */
function isUsed(file: LockedFile, { bytes, byte: mark }: LoopMark): boolean {
  const locked = bytes.filter((byte) => isLockedByOthers(file.fd, byteOf(file, byte)));
  if (locked.length === 0) return false;
  if (!isLockedByOthers(file.fd, byteOf(file, mark))) return true;
  const table = LockTable.of(file.status);
  return locked.some((byte) => table.count(byte) > table.count(mark));
}

function holderOf(file: LockedFile, { bytes }: LoopMark): string | undefined {
  const holders = bytes.map((byte) => lockHolder(file.status, byte));
  return holders.find((holder) => holder !== undefined);
}

/** Locks one byte, shared. Only somebody's exclusive lock can be in the way. */
function setLock(file: LockedFile, byte: number): void {
  if (tryToLock(file.fd, { kind: "shared", ...byteOf(file, byte) })) return;
  throw new ImageInUseError(file.path, lockHolder(file.status, byte), false);
}

function byteOf({ path }: LockedFile, byte: number): Omit<ByteLock, "kind"> {
  return { byte, path };
}
