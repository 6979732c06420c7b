/**
 * Descriptors that are told, too, that something written to a file was lost. The kernel tells each open file
 * once: who was killed right after he was told could not pass it on, and nobody else would ever know.
 *
 *     daemon's own   ── fdatasync: EIO (killed)
 *     a witness      ───────────────────────────── sync_file_range: EIO
 *
 * (Linux, errseq_t: "each struct file keeps its own view"; since 4.17 also of what was there as it was opened.)
 *
 * @module
 */
import { EDQUOT, EIO, ENOSPC, ifPossible } from "../sys/errno.ts";
import { type Fd, isWritable, O_NONBLOCK, O_RDONLY, openFile } from "../sys/files.ts";
import { lastErrno, libc } from "../sys/libc.ts";

const SYNC_FILE_RANGE_WAIT_BEFORE = 1;
/** It waits for what is just being written of so little. */
const LOOKED_AT_BYTES = 1;
const LOSSES: readonly number[] = [EIO, ENOSPC, EDQUOT];

/**
 * One for the file that is open as `fd`.
 *
 * @returns undefined if nothing is written by that, or there is no /proc
 */
export function openWitness(fd: number): Fd | undefined {
  if (!isWritable(fd)) return undefined;
  return ifPossible(() => openFile(`/proc/self/fd/${fd}`, O_RDONLY | O_NONBLOCK));
}

/** Whether something was lost since a witness was opened, or asked last. */
export function hasSeenLoss(witness: number): boolean {
  const result = libc().sync_file_range(witness, 0, LOOKED_AT_BYTES, SYNC_FILE_RANGE_WAIT_BEFORE);
  return result !== 0 && LOSSES.includes(lastErrno());
}
