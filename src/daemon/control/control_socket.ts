/**
 * Where a daemon takes commands: a Unix socket in the folder of its state file, which only its user may
 * connect to. It is called after the inode of that file, which no other file there has as long as the
 * daemon holds it.
 *
 *     /run/tslosetup/nbd0.json       inode 4711
 *     /run/tslosetup/4711.control
 *
 * @module
 */
import { ifPossible } from "../../sys/errno.ts";
import { linkStatusIfAny, removeFile } from "../../sys/files.ts";
import type { Fd } from "../../sys/files.ts";
import { connectUnix, listenUnix, SOCKET_PATH_MAX } from "../../sys/sockets.ts";

const NAME = /^(\d+)\.control$/;

function pathOf(folder: string, inode: number): string {
  return `${folder}/${inode}.control`;
}

/**
 * Listens on behalf of the daemon whose state file has this inode. One that was killed may have left a
 * socket of that name.
 *
 * @returns undefined where that is not possible: the daemon then takes no commands
 */
export function listenForCommands(folder: string, inode: number): Fd | undefined {
  const path = pathOf(folder, inode);
  if (byteLength(path) > SOCKET_PATH_MAX) return undefined;
  return ifPossible(() => {
    removeControlSocket(folder, inode);
    return listenUnix(path);
  });
}

function byteLength(path: string): number {
  return new TextEncoder().encode(path).length;
}

/** Removes the socket of a daemon that ends, or has ended. */
export function removeControlSocket(folder: string, inode: number): void {
  const path = pathOf(folder, inode);
  if (linkStatusIfAny(path)?.kind === "socket") removeFile(path);
}

/** Which state file a socket belongs to, by its name; undefined if it is none of these. */
export function stateInodeOf(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * A connection with the daemon whose state file has this inode.
 *
 * @returns undefined if it takes no commands
 * @throws {SystemError} as connect(2)
 */
export function connectToDaemon(folder: string, inode: number): Fd | undefined {
  const path = pathOf(folder, inode);
  return linkStatusIfAny(path) === undefined ? undefined : connectUnix(path);
}
