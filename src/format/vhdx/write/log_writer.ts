/**
 * Writing entries of the log.
 *
 * Each entry is a sequence of its own, for all before it has been put into its place when it is written. They
 * lie in two places in turn, so that one that is not written whole leaves the one before it, which says
 * nothing new. Neither reaches up to the other one: qemu goes on with whatever entry comes right behind.
 *
 *     |<----- half of the log ----->|<----- half of the log ----->|
 *     +-------------------------+---+-------------------------+---+
 *     | entry n                 |   | entry n + 1             |   |
 *     +-------------------------+---+-------------------------+---+
 *
 * @module
 */
import { crc32c } from "../../kit/crc32c.ts";
import {
  ALIGNMENT,
  DATA_SIGNATURE,
  DESCRIPTOR,
  DESCRIPTOR_SIGNATURE,
  LEADING_BYTES,
  LOG_ENTRY,
  LOG_SIGNATURE,
  PAGE_BYTES,
  TRAILING_BYTES,
} from "../layout.ts";
import { descriptorBytes } from "../log/entry.ts";
import type { ChangedPage } from "../metadata_pages.ts";

/** More in one entry would only take memory. */
const MAX_PAGES = 512;
const HALVES = 2;

/** An entry, and where in the log it belongs. */
export interface PlacedEntry {
  readonly place: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export class LogWriter {
  readonly #halfBytes: number;
  #guid: Uint8Array<ArrayBuffer>;
  #sequence = 0n;
  #half = 0;

  /** @param logBytes length of the log */
  constructor(logBytes: number, guid: Uint8Array<ArrayBuffer>) {
    this.#halfBytes = logBytes / HALVES;
    this.#guid = guid;
  }

  /** So many pages fit in an entry. */
  static mostPages(logBytes: number): number {
    const most = logBytes / HALVES / PAGE_BYTES - 1;
    let pages = Math.min(MAX_PAGES, most);
    while (pages > 0 && descriptorBytes(pages) / PAGE_BYTES + pages > most) pages--;
    return pages;
  }

  /** Says that the entry that was made last is durable. */
  written(): void {
    this.#half = 1 - this.#half;
  }

  /** An entry with `pages`; the file has, durably, `fileBytes` by the time it is written. */
  entry(pages: readonly ChangedPage[], fileBytes: number): PlacedEntry {
    this.#sequence++;
    const place = this.#half * this.#halfBytes;
    const start = descriptorBytes(pages.length);
    const bytes = new Uint8Array(start + pages.length * PAGE_BYTES);
    const view = new DataView(bytes.buffer);
    LOG_ENTRY.write(view, 0, {
      signature: LOG_SIGNATURE,
      entry_length: bytes.length,
      tail: place,
      sequence_number: this.#sequence,
      descriptor_count: pages.length,
      log_guid: this.#guid,
      // Both have to be multiples of that; the file of a valid image mostly is one, too.
      flushed_file_offset: BigInt(Math.floor(fileBytes / ALIGNMENT) * ALIGNMENT),
      last_file_offset: BigInt(Math.ceil(fileBytes / ALIGNMENT) * ALIGNMENT),
    });
    for (const [index, page] of pages.entries()) {
      const at = start + index * PAGE_BYTES;
      bytes.set(page.bytes, at);
      this.#describe(view, at, {
        page,
        descriptor: LOG_ENTRY.sizeBytes + index * DESCRIPTOR.sizeBytes,
      });
    }
    const { checksum } = LOG_ENTRY.offsets;
    view.setUint32(checksum, crc32c(bytes, checksum), true);
    return { place, bytes };
  }

  /** Puts what says where the page at `at` belongs, and the number over its ends, which that keeps. */
  #describe(
    view: DataView,
    at: number,
    { page, descriptor }: { readonly page: ChangedPage; readonly descriptor: number },
  ): void {
    const end = at + PAGE_BYTES - TRAILING_BYTES;
    DESCRIPTOR.write(view, descriptor, {
      signature: DESCRIPTOR_SIGNATURE,
      trailing_bytes: view.getUint32(end, true),
      leading_bytes: view.getBigUint64(at, true),
      file_offset: BigInt(page.hostOffset),
      sequence_number: this.#sequence,
    });
    view.setUint32(at, DATA_SIGNATURE, true);
    view.setUint32(at + LEADING_BYTES / 2, Number(this.#sequence >> 32n), true);
    view.setUint32(end, Number(this.#sequence & 0xffff_ffffn), true);
  }
}
