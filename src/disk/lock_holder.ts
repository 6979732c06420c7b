/**
 * Finding out who holds a lock. The kernel does not say it for open-file-description locks, but
 * /proc/PID/fdinfo lists the locks of each open file. What loop devices hold is open in no process.
 *
 * @module
 */
import { diskNames, nodePath } from "../kernel/block_devices.ts";
import type { LoopStatus } from "../kernel/loop_layout.ts";
import { loopStatusIfAny } from "../kernel/loop_status.ts";
import { isBelowView } from "../kernel/view_labels.ts";
import { listDirectory } from "../sys/directories.ts";
import { type FileStatus, readTextIfAny } from "../sys/files.ts";
import { libc } from "../sys/libc.ts";

/**
 * Names who has `byte` of a file locked: a process, as `name (pid N)`, or else a loop device on the file,
 * by its path, or a view of the file or of what lies on it; undefined if none is found, for example
 * because other users' processes cannot be looked at.
 */
export function lockHolder(file: FileStatus, byte: number): string | undefined {
  return lockingProcess(file, byte) ?? loopOn(file);
}

/** A daemon of this program: its watcher, a shell, has all that it has open, too, and is not meant. */
const DAEMON = "tslosetup";

function lockingProcess(file: FileStatus, byte: number): string | undefined {
  const own = libc().getpid();
  const all = listDirectory("/proc").map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== own)
    .map((pid) => ({ pid, name: readTextIfAny(`/proc/${pid}/comm`) ?? "a process" }));
  const [daemons, others] = [all.filter(isDaemon), all.filter((process) => !isDaemon(process))];
  const holder = [...daemons, ...others].find(({ pid }) => holdsOpen(pid, { file, byte }));
  return holder && `${holder.name} (pid ${holder.pid})`;
}

function isDaemon({ name }: { readonly name: string }): boolean {
  return name === DAEMON;
}

function holdsOpen(
  pid: number,
  { file, byte }: { readonly file: FileStatus; readonly byte: number },
): boolean {
  const folder = `/proc/${pid}/fdinfo`;
  return listDirectory(folder).some((fd) =>
    holdsLock(readTextIfAny(`${folder}/${fd}`) ?? "", file, byte)
  );
}

function loopOn(file: FileStatus): string | undefined {
  const found = diskNames("loop").map(nodePath)
    .map((path) => ({ path, status: loopStatusIfAny(path) }))
    .filter(({ status }) => isOn(status, file));
  const seen = found.find(({ status }) => !isBelowView(status));
  // What is below a view, nobody knows by its name.
  return seen?.path ?? (found.length > 0 ? "a view" : undefined);
}

function isOn(
  status: LoopStatus | undefined,
  { deviceMajor, deviceMinor, exactInode }: FileStatus,
): boolean {
  if (status?.backingInode !== exactInode) return false;
  const { major, minor } = status.backingDevice;
  return major === deviceMajor && minor === deviceMinor;
}

/**
 * Whether a text of /proc/PID/fdinfo/N lists a lock on `byte` of the file, in lines such as
 * `lock:\t1: OFDLCK  ADVISORY  READ -1 fe:00:393231 100 101` (fs/locks.c, lock_get_status).
 */
export function holdsLock(fdinfo: string, file: FileStatus, byte: number): boolean {
  return fdinfo.split("\n").some((line) => {
    const match = /^lock:\s.*\s([0-9a-f]+):([0-9a-f]+):(\d+) (\d+) (\d+|EOF)$/.exec(line);
    if (match === null) return false;
    const [, major = "", minor = "", inode = "", first = "", last = ""] = match;
    return parseInt(major, 16) === file.deviceMajor && parseInt(minor, 16) === file.deviceMinor &&
      BigInt(inode) === file.exactInode && Number(first) <= byte &&
      (last === "EOF" || byte <= Number(last));
  });
}
