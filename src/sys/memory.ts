/**
 * Memory that both JavaScript and system calls touch.
 *
 * @module
 */
import { libc } from "./libc.ts";

/**
 * Address of the first byte of `bytes`, as a number that `usize` parameters take.
 *
 * It stays valid for as long as the buffer is referenced: taking it pins small arrays, too.
 */
export function addressOf(bytes: Uint8Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>): number {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
}

/** Size of a page, or a multiple of it, on every machine Linux runs on here: x86-64 and arm64. */
const PAGE_BYTES = 65536;
/** Takes pages away (asm-generic/mman-common.h): of memory that is no file's, they come back as zeros. */
export const MADV_DONTNEED = 4;

/** A buffer together with its address, so that hot code needs no pointer object. */
export class IoBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly address: number;

  /**
   * Reserves `sizeBytes` of zeroed memory; pages are only committed when touched.
   *
   * @param alignmentBytes what the address has to be a multiple of: a power of two
   */
  constructor(sizeBytes: number, alignmentBytes = 1) {
    // An explicit ArrayBuffer is never allocated on the moving heap, however small.
    const whole = new Uint8Array(new ArrayBuffer(sizeBytes + alignmentBytes - 1));
    const address = addressOf(whole);
    const skipped = Math.ceil(address / alignmentBytes) * alignmentBytes - address;
    this.bytes = whole.subarray(skipped, skipped + sizeBytes);
    this.view = new DataView(this.bytes.buffer, skipped, sizeBytes);
    this.address = address + skipped;
  }

  /** As the constructor, with nothing else on its pages, so that they can be given back. */
  static ofPages(sizeBytes: number): IoBuffer {
    return new IoBuffer(Math.ceil(sizeBytes / PAGE_BYTES) * PAGE_BYTES, PAGE_BYTES);
  }

  /** Gives the memory of a buffer of whole pages back until it is touched again: all is zero then. */
  releasePages(): void {
    if (this.address % PAGE_BYTES === 0 && this.size % PAGE_BYTES === 0) {
      libc().madvise(this.address, this.size, MADV_DONTNEED);
    }
  }

  get size(): number {
    return this.bytes.length;
  }
}

/** The memory at an address that another {@link IoBuffer} of this process has; it must outlive this. */
export function bytesAt(address: number, lengthBytes: number): Uint8Array {
  const pointer = Deno.UnsafePointer.create(BigInt(address));
  if (pointer === null) throw new RangeError("no memory is at address 0");
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, lengthBytes));
}

/** `text` as a NUL-terminated C string. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** The text of a buffer up to its first NUL byte, or all of it. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
