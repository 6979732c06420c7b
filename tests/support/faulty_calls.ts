/**
 * Calls of the C library that fail when a test wants them to.
 *
 * @module
 */
import type { ImageFile } from "../../src/storage/image_file.ts";
import { libc } from "../../src/sys/libc.ts";

/** Has `lastErrno()` say `errno`, as after a call that has failed; what such a call returns. */
export function failedWith(errno: number): -1 {
  const pointer = Deno.UnsafePointer.create(libc().__errno_location());
  if (pointer === null) throw new Error("libc has no errno");
  new Int32Array(Deno.UnsafePointerView.getArrayBuffer(pointer, 4))[0] = errno;
  return -1;
}

/** A copy of the bytes at an address. */
export function bytesAt(address: number, lengthBytes: number): Uint8Array<ArrayBuffer> {
  const pointer = Deno.UnsafePointer.create(BigInt(address));
  if (pointer === null) throw new Error("no bytes");
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, lengthBytes)).slice();
}

/** A file that reads, writes and syncs are made on another descriptor of than its own. */
export function withDescriptor(file: ImageFile, fd: number): ImageFile {
  return new Proxy(file, {
    get(target, name): unknown {
      if (name === "fd") return fd;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
