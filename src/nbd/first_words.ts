/**
 * What a socket is about to say, before it is decided who is to listen.
 *
 * @module
 */
import { libc } from "../sys/libc.ts";
import { IoBuffer } from "../sys/memory.ts";
import { MSG_DONTWAIT } from "../sys/sockets.ts";
import { Command, REQUEST } from "./protocol.ts";

const MSG_PEEK = 0x2;

/** Whether the first thing a socket in the transmission phase says is that it ends. */
export function isEnding(fd: number): boolean {
  const { address, view } = new IoBuffer(REQUEST.size);
  const count = libc().recv(fd, address, REQUEST.size, MSG_PEEK | MSG_DONTWAIT);
  if (count < 0) return false;
  return count < REQUEST.size || view.getUint16(REQUEST.type) === Command.Disconnect;
}
