/**
 * Logs of images, made byte by byte.
 *
 * @module
 */
import { crc32c } from "../../../src/format/kit/crc32c.ts";
import {
  DATA_SIGNATURE,
  DESCRIPTOR,
  DESCRIPTOR_SIGNATURE,
  HEADER_OFFSETS,
  LOG_ENTRY,
  LOG_SIGNATURE,
  PAGE_BYTES,
  ZERO_SIGNATURE,
} from "../../../src/format/vhdx/layout.ts";
import { BAT, type BatEntry, guid, LOG, MIB, putHeader } from "./image_builder.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The identifier of a log, which is {@link guid} of it. */
export const LOG_GUID = 9;

/** What an entry says. */
export type Logged =
  | { readonly hostOffset: number; readonly page: Bytes }
  | { readonly hostOffset: number; readonly zeros: number };

export interface EntryParts {
  /** Where in the log it begins; it may go on at its start. */
  readonly place: number;
  readonly sequence: number;
  /** Where the first one is that counts; its own place if left out. */
  readonly tail?: number;
  readonly logged?: readonly Logged[];
  readonly guid?: Bytes;
  readonly flushed?: number;
  readonly last?: number;
}

/** An entry, whole. */
export function entry(parts: EntryParts, fileBytes: number): Bytes {
  const { place, sequence, tail = place, logged = [], flushed = fileBytes, last = fileBytes } =
    parts;
  const head = LOG_ENTRY.sizeBytes + logged.length * DESCRIPTOR.sizeBytes;
  const pages = logged.flatMap((one) => "page" in one ? [one.page] : []);
  const start = Math.ceil(head / PAGE_BYTES) * PAGE_BYTES;
  const bytes = new Uint8Array(start + pages.length * PAGE_BYTES);
  const view = new DataView(bytes.buffer);
  LOG_ENTRY.write(view, 0, {
    signature: LOG_SIGNATURE,
    entry_length: bytes.length,
    tail,
    sequence_number: BigInt(sequence),
    descriptor_count: logged.length,
    log_guid: parts.guid ?? guid(LOG_GUID),
    flushed_file_offset: BigInt(flushed),
    last_file_offset: BigInt(last),
  });
  for (const [index, one] of logged.entries()) putDescriptor(view, index, one, sequence);
  for (const [index, page] of pages.entries()) {
    putPage(bytes, start + index * PAGE_BYTES, page, sequence);
  }
  view.setUint32(LOG_ENTRY.offsets.checksum, crc32c(bytes, LOG_ENTRY.offsets.checksum), true);
  return bytes;
}

function putDescriptor(view: DataView, index: number, one: Logged, sequence: number): void {
  const place = LOG_ENTRY.sizeBytes + index * DESCRIPTOR.sizeBytes;
  const common = { file_offset: BigInt(one.hostOffset), sequence_number: BigInt(sequence) };
  if ("zeros" in one) {
    const values = { signature: ZERO_SIGNATURE, leading_bytes: BigInt(one.zeros) };
    return DESCRIPTOR.write(view, place, { ...common, ...values });
  }
  const page = new DataView(one.page.buffer, one.page.byteOffset);
  DESCRIPTOR.write(view, place, {
    ...common,
    signature: DESCRIPTOR_SIGNATURE,
    leading_bytes: page.getBigUint64(0, true),
    trailing_bytes: page.getUint32(PAGE_BYTES - 4, true),
  });
}

function putPage(bytes: Bytes, at: number, page: Bytes, sequence: number): void {
  const view = new DataView(bytes.buffer);
  bytes.set(page, at);
  view.setUint32(at, DATA_SIGNATURE, true);
  view.setUint32(at + 4, 0, true);
  view.setUint32(at + PAGE_BYTES - 4, sequence, true);
}

/** Puts entries into the log of an image, which says so. */
export function putLog(bytes: Bytes, entries: readonly EntryParts[]): Bytes {
  for (const parts of entries) {
    const content = entry(parts, bytes.length);
    const inFirst = Math.min(content.length, MIB - parts.place);
    bytes.set(content.subarray(0, inFirst), LOG + parts.place);
    bytes.set(content.subarray(inFirst), LOG);
  }
  const log_guid = guid(LOG_GUID);
  putHeader(bytes, HEADER_OFFSETS[1], { sequence_number: 2n, log_guid });
  return bytes;
}

/** The first page of the BAT, with these entries. */
export function batPage(
  entries: readonly BatEntry[],
): Logged {
  const page = new Uint8Array(PAGE_BYTES);
  const view = new DataView(page.buffer);
  for (const [index, [state, place = 0]] of entries.entries()) {
    view.setBigUint64(8 * index, BigInt(place) << 20n | BigInt(state), true);
  }
  return { hostOffset: BAT, page };
}
