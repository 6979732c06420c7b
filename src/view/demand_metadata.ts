/**
 * The metadata of a view, of which each part is made when it is read: those of large disks, of which
 * mostly only a few parts are ever needed.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import type { ReadRequest } from "../disk/reader.ts";
import type { Attempt } from "../storage/attempt.ts";
import { DemandChunks } from "./demand_chunks.ts";
import { decodeHead, type DemandLayout } from "./demand_layout.ts";
import { CHUNK_ENTRY } from "./layout.ts";

/** It is made page by page. */
const PAGE_BYTES = 4096;
/**
 * Pages that are kept: only for reads that have to wait for a disk in between, for the kernel keeps what
 * it has read.
 */
const KEPT_PAGES = 64;

/** Those of one thread. */
export class DemandMetadata {
  readonly #chunks: DemandChunks;
  readonly #head: Uint8Array;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(access: ImageAccess, layout: DemandLayout) {
    this.#chunks = new DemandChunks(access, layout);
    this.#head = decodeHead(layout.head);
  }

  /**
   * Reads what `request` asks for; behind the end of the metadata there are zeros.
   *
   * @returns false if that would wait for a disk, and may not
   */
  read({ offset, lengthBytes, target, position, attempt }: ReadRequest): boolean {
    attempt.begin();
    for (let at = offset; at < offset + lengthBytes;) {
      const page = Math.floor(at / PAGE_BYTES);
      const bytes = this.#page(page, attempt);
      if (bytes === undefined) return false;
      const start = at - page * PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - start, offset + lengthBytes - at);
      target?.bytes.set(bytes.subarray(start, start + count), position + at - offset);
      at += count;
    }
    return true;
  }

  #page(number: number, attempt: Attempt): Uint8Array | undefined {
    const known = this.#pages.get(number);
    if (known !== undefined) return known;
    const page = this.#make(number * PAGE_BYTES, attempt);
    if (page === undefined) return undefined;
    const [oldest] = this.#pages.keys();
    if (this.#pages.size === KEPT_PAGES && oldest !== undefined) this.#pages.delete(oldest);
    this.#pages.set(number, page);
    return page;
  }

  #make(start: number, attempt: Attempt): Uint8Array | undefined {
    const page = new Uint8Array(PAGE_BYTES);
    const headBytes = this.#head.length;
    if (start < headBytes) page.set(this.#head.subarray(start, start + PAGE_BYTES));
    const first = Math.max(0, (start - headBytes) / CHUNK_ENTRY.size);
    const end = Math.min(this.#chunks.count, (start + PAGE_BYTES - headBytes) / CHUNK_ENTRY.size);
    if (first >= end) return page;
    const view = new DataView(page.buffer, Math.max(0, headBytes - start));
    return this.#chunks.write(first, end, view, attempt) ? page : undefined;
  }
}
