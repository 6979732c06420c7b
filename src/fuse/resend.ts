/**
 * Taking over a session from a server that was killed.
 *
 * @module
 */
import { EINVAL, SystemError } from "../sys/errno.ts";
import { lastErrno, libc } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";
import { NOTIFY_RESEND, OUT_HEADER } from "./protocol.ts";

/**
 * Has the kernel hand out anew what somebody else has taken, and not answered.
 *
 * @param fd one of the session's descriptors; those of all of them are meant
 * @throws {SystemError} EINVAL if the kernel cannot do that
 */
export function resendRequests(fd: number): void {
  const { address, view } = new IoBuffer(OUT_HEADER.size);
  view.setUint32(OUT_HEADER.length, OUT_HEADER.size, true);
  view.setInt32(OUT_HEADER.error, NOTIFY_RESEND, true);
  // Of a session that has ended meanwhile, there is nothing to be handed out: reading tells.
  if (libc().write(fd, address, OUT_HEADER.size) >= 0 || lastErrno() !== EINVAL) return;
  throw new SystemError("write FUSE_NOTIFY_RESEND", EINVAL);
}
