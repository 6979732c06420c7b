/**
 * Handing descriptors to another process over a Unix socket (unix(7), SCM_RIGHTS).
 *
 * @module
 */
import { checked, EINTR, ENOTSOCK } from "./errno.ts";
import { lastErrno, libc } from "./libc.ts";
import { IoBuffer, setUint64 } from "./memory.ts";
import { MSG_NOSIGNAL } from "./sockets.ts";

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_CMSG_CLOEXEC = 0x40000000;
/** Most descriptors of one message (include/net/scm.h, SCM_MAX_FD). */
const MAX_DESCRIPTORS = 253;
const FD_BYTES = 4;

/** struct msghdr and struct cmsghdr (sys/socket.h), struct iovec (sys/uio.h) of 64-bit systems. */
const MSGHDR = { vector: 16, vectorLength: 24, control: 32, controlLength: 40, flags: 48 } as const;
const CMSGHDR = { length: 0, level: 8, type: 12, size: 16 } as const;
/** Where a message keeps its parts: msghdr, iovec, the one byte that is sent, and the descriptors. */
const VECTOR = 56;
const BYTE = 72;
const CONTROL = 80;

/** Descriptors have to travel with data: one byte, which means nothing. */
function message(descriptors: number): IoBuffer {
  const controlBytes = CMSGHDR.size + descriptors * FD_BYTES;
  // CMSG_SPACE(): whole words
  const controlSpace = Math.ceil(controlBytes / 8) * 8;
  const buffer = new IoBuffer(CONTROL + controlSpace);
  const { view, address } = buffer;
  setUint64(view, MSGHDR.vector, address + VECTOR);
  setUint64(view, MSGHDR.vectorLength, 1);
  setUint64(view, MSGHDR.control, address + CONTROL);
  setUint64(view, MSGHDR.controlLength, controlSpace);
  setUint64(view, VECTOR, address + BYTE);
  setUint64(view, VECTOR + 8, 1);
  setUint64(view, CONTROL + CMSGHDR.length, controlBytes);
  view.setInt32(CONTROL + CMSGHDR.level, SOL_SOCKET, true);
  view.setInt32(CONTROL + CMSGHDR.type, SCM_RIGHTS, true);
  return buffer;
}

/**
 * Sends `fds`, at least one, for {@link receiveDescriptors} at the other end.
 *
 * @throws {RangeError} if they are more than a message can have, 253
 * @throws {SystemError} as sendmsg(2), EPIPE if the other end is closed
 */
export function sendDescriptors(socket: number, fds: readonly number[]): void {
  if (fds.length > MAX_DESCRIPTORS) {
    throw new RangeError(`a message has at most ${MAX_DESCRIPTORS} descriptors`);
  }
  const { view, address } = message(fds.length);
  fds.forEach((fd, n) => view.setInt32(CONTROL + CMSGHDR.size + n * FD_BYTES, fd, true));
  while (libc().sendmsg(socket, address, MSG_NOSIGNAL) < 0) {
    if (lastErrno() !== EINTR) checked(-1, "sendmsg");
  }
}

/**
 * What {@link sendDescriptors} has sent, closed on exec. Waits for it.
 *
 * @returns none if the other end is closed, or what was taken for a socket is none
 * @throws {SystemError} as recvmsg(2)
 * @throws {RangeError} if there were more than this process may have open
 */
export function receiveDescriptors(socket: number): number[] {
  const { view, address } = message(MAX_DESCRIPTORS);
  let count: number;
  do {
    count = libc().recvmsg(socket, address, MSG_CMSG_CLOEXEC);
  } while (count < 0 && lastErrno() === EINTR);
  if (count < 0 && lastErrno() === ENOTSOCK) return [];
  if (checked(count, "recvmsg") === 0) return [];
  const fds = received(view);
  if ((view.getInt32(MSGHDR.flags, true) & MSG_CTRUNC) === 0) return fds;
  for (const fd of fds) libc().close(fd);
  throw new RangeError("too many files are open");
}

function received(view: DataView): number[] {
  if (view.getUint32(MSGHDR.controlLength, true) === 0) return [];
  const bytes = view.getUint32(CONTROL + CMSGHDR.length, true) - CMSGHDR.size;
  const first = CONTROL + CMSGHDR.size;
  return Array.from(
    { length: bytes / FD_BYTES },
    (_, n) => view.getInt32(first + n * FD_BYTES, true),
  );
}
