/**
 * Memory that both JavaScript and system calls touch.
 *
 * @module
 */

/**
 * Address of the first byte of `bytes`, as a number that `usize` parameters take.
 *
 * It stays valid for as long as the buffer is referenced: taking it pins small arrays, too.
 */
export function addressOf(bytes: Uint8Array<ArrayBuffer> | BigUint64Array<ArrayBuffer>): number {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
}

/** A buffer together with its address, so that hot code needs no pointer object. */
export class IoBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly address: number;

  /** Reserves `sizeBytes` of zeroed memory; pages are only committed when touched. */
  constructor(sizeBytes: number) {
    // An explicit ArrayBuffer is never allocated on the moving heap, however small.
    this.bytes = new Uint8Array(new ArrayBuffer(sizeBytes));
    this.view = new DataView(this.bytes.buffer);
    this.address = addressOf(this.bytes);
  }

  get size(): number {
    return this.bytes.length;
  }
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
