/**
 * Pipes and Unix sockets.
 *
 * @module
 */
import { checked, ECONNREFUSED } from "./errno.ts";
import { Fd, linkStatus, linkStatusIfAny, removeFile } from "./files.ts";
import { lastErrno, libc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_PEERCRED = 17;
const SO_SNDBUFFORCE = 32;
const SHUT_WR = 1;
const F_DUPFD_CLOEXEC = 1030;
const O_CLOEXEC = 0o2000000;

/** Clients that may wait to be accepted. */
const BACKLOG = 64;

export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;

/** Longest path a Unix socket can have, in bytes (sun_path, linux/un.h, less its NUL). */
export const SOCKET_PATH_MAX = 107;

/** A pipe: what is written to the second end is read from the first. */
export function pipe(): [Fd, Fd] {
  const fds = new Int32Array(2);
  checked(libc().pipe2(new Uint8Array(fds.buffer), O_CLOEXEC), "pipe");
  return [new Fd(fds[0] ?? -1), new Fd(fds[1] ?? -1)];
}

/** Another descriptor for what `fd` refers to. */
export function duplicate(fd: number): Fd {
  return new Fd(checked(libc().fcntl(fd, F_DUPFD_CLOEXEC, 3), "fcntl"));
}

/** Two connected stream sockets, both blocking. */
export function streamPair(): [Fd, Fd] {
  const fds = new Int32Array(2);
  const result = libc().socketpair(
    AF_UNIX,
    SOCK_STREAM | SOCK_CLOEXEC,
    0,
    new Uint8Array(fds.buffer),
  );
  checked(result, "socketpair");
  return [new Fd(fds[0] ?? -1), new Fd(fds[1] ?? -1)];
}

/** Begins the names of sockets that are in no file system (unix(7), "abstract"). */
export const ABSTRACT = "\0";

/** Says all that there is to be said on a stream socket: its other end reads to the end, and may answer. */
export function endSending(socket: number): void {
  libc().shutdown(socket, SHUT_WR);
}

/**
 * Address of a socket, in the file system or not.
 *
 * @throws {RangeError} if the path is longer than {@link SOCKET_PATH_MAX}
 */
function unixAddress(path: string): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(path);
  if (name.length > SOCKET_PATH_MAX) {
    throw new RangeError(`a socket path has at most ${SOCKET_PATH_MAX} bytes`);
  }
  const endBytes = path.startsWith(ABSTRACT) ? 0 : 1;
  const address = new Uint8Array(2 + name.length + endBytes);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(name, 2);
  return address;
}

/**
 * A non-blocking socket listening at `path`, which must not exist. Only the owner may connect.
 *
 * @throws {SystemError} as bind(2)
 * @throws {RangeError} if the path is too long
 */
export function listenUnix(path: string): Fd {
  const address = unixAddress(path);
  const flags = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const socket = new Fd(checked(libc().socket(AF_UNIX, flags, 0), "socket"));
  const mask = libc().umask(0o177);
  const result = libc().bind(socket.number, address, address.length);
  try {
    checked(result, "bind", path);
    checked(libc().listen(socket.number, BACKLOG), "listen", path);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  } finally {
    libc().umask(mask);
  }
}

/** A socket in the file system; another one may have taken its path by now. */
export interface BoundSocket {
  readonly path: string;
  readonly inode: number;
}

/** The socket that was just bound to `path`. */
export function boundSocket(path: string): BoundSocket {
  return { path, inode: linkStatus(path).inode };
}

/** Whether that very socket is still at its path. */
export function isSameSocket({ path, inode }: BoundSocket): boolean {
  const status = linkStatusIfAny(path);
  return status?.kind === "socket" && status.inode === inode;
}

/** Removes a socket from the file system, but nothing that has taken its place. */
export function removeSocket(socket: BoundSocket): void {
  if (isSameSocket(socket)) removeFile(socket.path);
}

/**
 * Whether somebody uses the socket at `path`. Only a refusal is a no: whatever else happens (a full
 * queue, a socket of another type) means that there is somebody.
 */
export function isListening(path: string): boolean {
  const flags = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  using socket = new Fd(checked(libc().socket(AF_UNIX, flags, 0), "socket"));
  const address = unixAddress(path);
  const result = libc().connect(socket.number, address, address.length);
  return result === 0 || lastErrno() !== ECONNREFUSED;
}

/** Makes this process the one that clients of a listening socket see ({@link listenerOf}). */
export function takeOverListener(listener: number): void {
  checked(libc().listen(listener, BACKLOG), "listen");
}

/** A process as the kernel names it to who is connected with it. */
export interface PeerProcess {
  /** 0 for one that has no process id in this PID namespace. */
  readonly pid: number;
  readonly uid: number;
}

/**
 * Who listens at a path: whoever called listen(2) last (unix(7), SO_PEERCRED). Undefined if nobody
 * does, or who cannot be found out.
 */
export function listenerOf(path: string): PeerProcess | undefined {
  const flags = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  using socket = new Fd(checked(libc().socket(AF_UNIX, flags, 0), "socket"));
  const address = unixAddress(path);
  if (libc().connect(socket.number, address, address.length) !== 0) return undefined;
  // struct ucred: pid_t pid; uid_t uid; gid_t gid
  const credentials = new Int32Array(3);
  const length = new Uint8Array(Int32Array.of(credentials.byteLength).buffer);
  const bytes = new Uint8Array(credentials.buffer);
  checked(libc().getsockopt(socket.number, SOL_SOCKET, SO_PEERCRED, bytes, length), "getsockopt");
  const [pid = 0, uid = -1] = credentials;
  return { pid, uid: uid >>> 0 };
}

/** The next waiting client of a listening socket, non-blocking, or -1. */
export function acceptClient(listener: number): number {
  return libc().accept4(listener, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

/**
 * A blocking stream socket connected to `path`.
 *
 * @throws {SystemError} as connect(2)
 * @throws {RangeError} if the path is too long
 */
export function connectUnix(path: string): Fd {
  const address = unixAddress(path);
  const socket = new Fd(checked(libc().socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  try {
    checked(libc().connect(socket.number, address, address.length), "connect", path);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** A datagram socket connected to `path`, never blocking, or undefined where nobody listens, or could. */
export function datagramTo(path: string): Fd | undefined {
  if (new TextEncoder().encode(path).length > SOCKET_PATH_MAX) return undefined;
  const flags = SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const socket = new Fd(checked(libc().socket(AF_UNIX, flags, 0), "socket"));
  const address = unixAddress(path);
  if (libc().connect(socket.number, address, address.length) === 0) return socket;
  socket.close();
  return undefined;
}

/**
 * Lets up to `sizeBytes` wait in a socket for its reader: as many as asked for with CAP_NET_ADMIN,
 * else no more than `net.core.wmem_max`, or than it has been before.
 */
export function setSendBuffer(fd: number, sizeBytes: number): void {
  const value = new Uint8Array(Int32Array.of(sizeBytes).buffer);
  const set = (option: number): number =>
    libc().setsockopt(fd, SOL_SOCKET, option, value, value.length);
  if (set(SO_SNDBUFFORCE) !== 0 && sendBufferOf(fd) < sizeBytes) set(SO_SNDBUF);
}

/** As asked for: the kernel doubles it (socket(7), SO_SNDBUF). */
function sendBufferOf(fd: number): number {
  const value = new Int32Array(1);
  const length = new Uint8Array(Int32Array.of(value.byteLength).buffer);
  libc().getsockopt(fd, SOL_SOCKET, SO_SNDBUF, new Uint8Array(value.buffer), length);
  return (value[0] ?? 0) / 2;
}
