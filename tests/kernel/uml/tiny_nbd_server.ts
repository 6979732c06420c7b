/**
 * The least that can serve an nbd device: one connection, one request at a time, nothing checked.
 * It shows what the kernel does, not what ours does.
 *
 *     deno run -A tiny_nbd_server.ts IMAGE [OFFSET]    # serves descriptor 3 until it is told to end
 *
 * A read at OFFSET is never answered.
 *
 * @module
 */
import { lastErrno, libc } from "../../../src/sys/libc.ts";
import { IoBuffer } from "../../../src/sys/memory.ts";

const SOCKET = 3;
const MSG_WAITALL = 0x100;
const REQUEST = {
  magic: 0,
  flags: 4,
  type: 6,
  cookie: 8,
  offset: 16,
  length: 24,
  size: 28,
} as const;
const REPLY = { magic: 0, error: 4, cookie: 8, size: 16 } as const;
const REPLY_MAGIC = 0x67446698;
const COMMANDS = { read: 0, write: 1, disconnect: 2 } as const;
const LARGEST = 32 * 1024 * 1024;

const request = new IoBuffer(REQUEST.size);
const reply = new IoBuffer(REPLY.size + LARGEST);

function receive(address: number, size: number): boolean {
  return libc().recv(SOCKET, address, size, MSG_WAITALL) === size;
}

function sendReply(size: number): void {
  let at = 0;
  while (at < size) {
    const count = libc().send(SOCKET, reply.address + at, size - at, 0);
    if (count < 0) throw new Error(`send: error ${lastErrno()}`);
    at += count;
  }
}

function serve(image: Deno.FsFile, stallOffset: number): void {
  while (receive(request.address, request.size)) {
    const type = request.view.getUint16(REQUEST.type);
    const offset = Number(request.view.getBigUint64(REQUEST.offset));
    const length = request.view.getUint32(REQUEST.length);
    if (type === COMMANDS.disconnect) return;
    reply.view.setUint32(REPLY.magic, REPLY_MAGIC);
    reply.view.setBigUint64(REPLY.cookie, request.view.getBigUint64(REQUEST.cookie));
    image.seekSync(offset, Deno.SeekMode.Start);
    if (type === COMMANDS.write) {
      receive(reply.address + REPLY.size, length);
      image.writeSync(reply.bytes.subarray(REPLY.size, REPLY.size + length));
    }
    if (type !== COMMANDS.read) sendReply(REPLY.size);
    else if (offset !== stallOffset) {
      image.readSync(reply.bytes.subarray(REPLY.size, REPLY.size + length));
      sendReply(REPLY.size + length);
    }
  }
}

using image = Deno.openSync(Deno.args[0] ?? "", { read: true, write: true });
serve(image, Number(Deno.args[1] ?? -1));
