/**
 * One entry of the log, checked as a whole.
 *
 *     +--------+-------------+--- ... ---+------------------+--- ... ---+
 *     | header | descriptors | (to 4096) | page             | page      |
 *     +--------+-------------+--- ... ---+------------------+--- ... ---+
 *
 * @module
 */
import { crc32c } from "../../kit/crc32c.ts";
import { guidText } from "../../kit/guid.ts";
import {
  DATA_SIGNATURE,
  DESCRIPTOR,
  DESCRIPTOR_SIGNATURE,
  LEADING_BYTES,
  LOG_ENTRY,
  LOG_SIGNATURE,
  PAGE_BYTES,
  TRAILING_BYTES,
  ZERO_SIGNATURE,
} from "../layout.ts";

/** An entry that is valid. */
export interface LogEntry {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  readonly fields: ReturnType<typeof LOG_ENTRY.read>;
}

/** What an entry says: these bytes, or zeros, belong there. */
export interface LoggedRange {
  readonly hostOffset: bigint;
  readonly lengthBytes: bigint;
  /** Undefined for zeros. */
  readonly page: Uint8Array<ArrayBuffer> | undefined;
}

/** How long the entry is that begins with `bytes`, or 0 if that is none of this log. */
export function entryLength(bytes: Uint8Array<ArrayBuffer>, logGuid: string): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { signature, entry_length, sequence_number, log_guid } = LOG_ENTRY.read(view, 0);
  const isOne = signature === LOG_SIGNATURE && entry_length % PAGE_BYTES === 0 &&
    sequence_number > 0n && guidText(log_guid) === logGuid;
  return isOne ? entry_length : 0;
}

/** The entry that `bytes` are, all of it; undefined if it is not valid. */
export function entryOf(bytes: Uint8Array<ArrayBuffer>): LogEntry | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fields = LOG_ENTRY.read(view, 0);
  if (fields.checksum !== crc32c(bytes, LOG_ENTRY.offsets.checksum)) return undefined;
  if (descriptorBytes(fields.descriptor_count) > bytes.length) return undefined;
  const entry = { bytes, view, fields };
  return areDescriptorsValid(entry) ? entry : undefined;
}

/** What header and descriptors take: whole pages. */
export function descriptorBytes(count: number): number {
  const bytes = LOG_ENTRY.sizeBytes + count * DESCRIPTOR.sizeBytes;
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

function areDescriptorsValid({ view, fields, bytes }: LogEntry): boolean {
  const { descriptor_count: count, sequence_number: sequence } = fields;
  let page = descriptorBytes(count);
  for (let index = 0; index < count; index++) {
    const descriptor = descriptorAt(view, index);
    if (descriptor.sequence_number !== sequence || !isAligned(descriptor.file_offset)) return false;
    if (descriptor.signature === ZERO_SIGNATURE) {
      if (!isAligned(descriptor.leading_bytes)) return false;
      continue;
    }
    if (descriptor.signature !== DESCRIPTOR_SIGNATURE || page + PAGE_BYTES > bytes.length) {
      return false;
    }
    if (!isPageOf(sequence, view, page)) return false;
    page += PAGE_BYTES;
  }
  return true;
}

function isAligned(value: bigint): boolean {
  return value % BigInt(PAGE_BYTES) === 0n;
}

/** Both halves of the sequence number are in a page, so that a torn one is found out. */
function isPageOf(sequence: bigint, view: DataView, at: number): boolean {
  return view.getUint32(at, true) === DATA_SIGNATURE &&
    view.getUint32(at + 4, true) === Number(sequence >> 32n) &&
    view.getUint32(at + PAGE_BYTES - TRAILING_BYTES, true) === Number(sequence & 0xffff_ffffn);
}

function descriptorAt(view: DataView, index: number): ReturnType<typeof DESCRIPTOR.read> {
  return DESCRIPTOR.read(view, LOG_ENTRY.sizeBytes + index * DESCRIPTOR.sizeBytes);
}

/** All that an entry says, in its order. */
export function* rangesOf({ bytes, view, fields }: LogEntry): Generator<LoggedRange> {
  let at = descriptorBytes(fields.descriptor_count);
  for (let index = 0; index < fields.descriptor_count; index++) {
    const { signature, file_offset: hostOffset, leading_bytes } = descriptorAt(view, index);
    if (signature === ZERO_SIGNATURE) {
      yield { hostOffset, lengthBytes: leading_bytes, page: undefined };
      continue;
    }
    const page = bytes.slice(at, at + PAGE_BYTES);
    const descriptor = LOG_ENTRY.sizeBytes + index * DESCRIPTOR.sizeBytes;
    const { leading_bytes: leading, trailing_bytes: trailing } = DESCRIPTOR.offsets;
    page.set(bytes.subarray(descriptor + leading, descriptor + leading + LEADING_BYTES));
    const end = PAGE_BYTES - TRAILING_BYTES;
    page.set(bytes.subarray(descriptor + trailing, descriptor + trailing + TRAILING_BYTES), end);
    yield { hostOffset, lengthBytes: BigInt(PAGE_BYTES), page };
    at += PAGE_BYTES;
  }
}
