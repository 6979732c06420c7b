/**
 * What programs send to a socket, a datagram at a time.
 *
 * @module
 */
import { checked } from "../../src/sys/errno.ts";
import { Fd } from "../../src/sys/files.ts";
import { libc, openLibc } from "../../src/sys/libc.ts";
import { IoBuffer } from "../../src/sys/memory.ts";
import { MSG_DONTWAIT } from "../../src/sys/sockets.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;

// The C library stays open for good: opened within a test, it would count as a leak of that test.
openLibc();

/** A socket that keeps what is sent to it. */
export class DatagramListener implements Disposable {
  readonly #socket: Fd;

  /** @param name its path, or what stands behind the NUL byte of a name that is in no file system */
  constructor(name: string, kind: "path" | "abstract" = "path") {
    const bytes = new TextEncoder().encode(kind === "path" ? `${name}\0` : `\0${name}`);
    const address = new Uint8Array(2 + bytes.length);
    address[0] = AF_UNIX;
    address.set(bytes, 2);
    this.#socket = new Fd(checked(libc().socket(AF_UNIX, SOCK_DGRAM, 0), "socket"));
    checked(libc().bind(this.#socket.number, address, address.length), "bind", name);
  }

  /** What has come since the last call. */
  received(): string[] {
    const found: string[] = [];
    const buffer = new IoBuffer(64 * 1024);
    for (;;) {
      const { address, size, bytes } = buffer;
      const count = libc().recv(this.#socket.number, address, size, MSG_DONTWAIT);
      if (count < 0) return found;
      found.push(new TextDecoder().decode(bytes.slice(0, count)));
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
