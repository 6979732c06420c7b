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
/** Has pages be there, as if they had been written to; since Linux 5.14. */
const MADV_POPULATE_WRITE = 23;

/**
 * Where buffers of messages begin in a page. The processors' string move, which the kernel copies
 * with, takes up to ten times as long if its target lies 1 to 31 bytes further in its page than its
 * source does in its own (AMD Zen). Blocks of files begin at multiples of 512 in a page, the kernel's
 * socket buffers mostly at 0: messages at 0, their data behind a head of 16 bytes, meet just that.
 */
const COPY_START = 512 + 32;

/** How a buffer lies in its pages. */
interface Placement {
  /** What the address of the first page is a multiple of: a power of two. */
  readonly alignmentBytes: number;
  /** Where the buffer begins in it. */
  readonly start: number;
  /** What it lies in, if that is there already. */
  readonly memory?: Uint8Array<ArrayBuffer>;
}

const UNALIGNED: Placement = { alignmentBytes: 1, start: 0 };

/** A buffer together with its address, so that hot code needs no pointer object. */
export class IoBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly address: number;
  readonly #start: number;
  readonly #ownsPages: boolean;

  /** Reserves `sizeBytes` of zeroed memory; pages are only committed when touched. */
  constructor(sizeBytes: number, { alignmentBytes, start, memory }: Placement = UNALIGNED) {
    // An explicit ArrayBuffer is never allocated on the moving heap, however small.
    const whole = memory ?? new Uint8Array(new ArrayBuffer(start + sizeBytes + alignmentBytes - 1));
    const address = addressOf(whole);
    const skipped = Math.ceil(address / alignmentBytes) * alignmentBytes - address + start;
    this.bytes = whole.subarray(skipped, skipped + sizeBytes);
    this.view = new DataView(this.bytes.buffer, skipped, sizeBytes);
    this.address = address + skipped;
    this.#start = start;
    this.#ownsPages = alignmentBytes === PAGE_BYTES && (start + sizeBytes) % PAGE_BYTES === 0;
  }

  /** As the constructor, with nothing else on its pages, so that they can be given back. */
  static ofPages(sizeBytes: number): IoBuffer {
    return new IoBuffer(wholePages(sizeBytes), { alignmentBytes: PAGE_BYTES, start: 0 });
  }

  /**
   * As {@link IoBuffer.ofPages}, for messages: so placed that the kernel copies them fast. No page
   * is there at first, not even where the allocator has cleared memory that others have freed.
   */
  static ofMessages(sizeBytes: number): IoBuffer {
    const bytes = wholePages(COPY_START + sizeBytes) - COPY_START;
    const buffer = new IoBuffer(bytes, { alignmentBytes: PAGE_BYTES, start: COPY_START });
    buffer.releasePages();
    return buffer;
  }

  /** A buffer over memory of the process, be it shared with others; it must outlive this. */
  static over(address: number, lengthBytes: number): IoBuffer {
    return new IoBuffer(lengthBytes, { ...UNALIGNED, memory: bytesAt(address, lengthBytes) });
  }

  /** Gives the memory of a buffer of whole pages back until it is touched again: all is zero then. */
  releasePages(): void {
    if (!this.#ownsPages) return;
    libc().madvise(this.address - this.#start, this.#start + this.size, MADV_DONTNEED);
  }

  /** Has the memory of a buffer of whole pages be there before it is touched, where the kernel can do that. */
  populatePages(): void {
    if (!this.#ownsPages) return;
    libc().madvise(this.address - this.#start, this.#start + this.size, MADV_POPULATE_WRITE);
  }

  get size(): number {
    return this.bytes.length;
  }
}

function wholePages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

/** The memory at an address that another {@link IoBuffer} of this process has; it must outlive this. */
export function bytesAt(address: number, lengthBytes: number): Uint8Array<ArrayBuffer> {
  const pointer = Deno.UnsafePointer.create(BigInt(address));
  if (pointer === null) throw new RangeError("no memory is at address 0");
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, lengthBytes));
}

/** The little-endian 64 bits at `at`, exact up to 2^53: no bigint is made. */
export function uint64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

/** Puts an integer from 0 to 2^53 at `at`, as 64 little-endian bits. */
export function setUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** `text` as a NUL-terminated C string. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** The text of a buffer up to its first NUL byte, or all of it; U+FFFD for what is no text. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
