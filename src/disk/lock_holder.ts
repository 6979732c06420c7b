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

function lockingProcess(file: FileStatus, byte: number): string | undefined {
  const own = libc().getpid();
  for (const entry of listDirectory("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === own) continue;
    const folder = `/proc/${pid}/fdinfo`;
    const holds = listDirectory(folder).some((fd) =>
      holdsLock(readTextIfAny(`${folder}/${fd}`) ?? "", file, byte)
    );
    if (holds) return `${readTextIfAny(`/proc/${pid}/comm`) ?? "a process"} (pid ${pid})`;
  }
  return undefined;
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
