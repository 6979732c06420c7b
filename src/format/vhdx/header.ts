/**
 * The two headers, of which one counts.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { crc32c } from "../kit/crc32c.ts";
import { guidText } from "../kit/guid.ts";
import { startsWith } from "../kit/starts_with.ts";
import { damaged, unsupported } from "./errors.ts";
import {
  ALIGNMENT,
  HEADER,
  HEADER_BYTES,
  HEADER_OFFSETS,
  HEADER_SIGNATURE,
  LOG_VERSION,
  MARK,
  VERSION,
} from "./layout.ts";

/** The header that counts. */
export interface Header {
  readonly fields: ReturnType<typeof HEADER.read>;
  /** Which of the two it is. */
  readonly index: number;
  /** Whether there may be something in the log. */
  readonly hasLog: boolean;
}

/** One of the two headers, if it is valid. */
interface Found {
  readonly fields: ReturnType<typeof HEADER.read>;
  readonly index: number;
  readonly bytes: Uint8Array;
}

/**
 * Reads both headers; one that is damaged is what a crash leaves of a header that was being written.
 *
 * @throws {ImageFormatError} if there is no valid one, or nobody can say which one counts
 * @throws {UnsupportedFeatureError} if it is one of another version
 * @throws {SystemError} if the file cannot be read
 */
export function readHeader(file: ImageFile): Header {
  const found = HEADER_OFFSETS.flatMap((hostOffset, index) => headerAt(file, hostOffset, index));
  const [first, second] = found;
  if (first === undefined) {
    const message = isMarked(file) ? "both headers are damaged" : "this is no VHDX image";
    throw damaged(file.path, message, HEADER_OFFSETS[0]);
  }
  const { fields, index } = second === undefined ? first : newer(first, second, file);
  checkVersion(fields, file);
  const hasLog = guidText(fields.log_guid) !== undefined;
  if (hasLog) checkLog(fields, file);
  return { fields, index, hasLog };
}

function isMarked(file: ImageFile): boolean {
  const mark = new IoBuffer(MARK.length);
  file.read(mark, 0, 0, MARK.length);
  return startsWith(mark.bytes, MARK);
}

/** None where it is not valid. */
function headerAt(file: ImageFile, hostOffset: number, index: number): Found[] {
  const buffer = new IoBuffer(HEADER_BYTES);
  file.read(buffer, 0, hostOffset, HEADER_BYTES);
  const fields = HEADER.read(buffer.view, 0);
  const isValid = fields.signature === HEADER_SIGNATURE &&
    fields.checksum === crc32c(buffer.bytes, HEADER.offsets.checksum);
  return isValid ? [{ fields, index, bytes: buffer.bytes }] : [];
}

/** Disk2vhd writes the same header twice. */
function newer(first: Found, second: Found, { path }: ImageFile): Found {
  const [one, other] = [first.fields.sequence_number, second.fields.sequence_number];
  if (one !== other) return one > other ? first : second;
  if (startsWith(first.bytes, second.bytes)) return first;
  throw damaged(path, "the headers have the same sequence number, but differ", HEADER_OFFSETS[1]);
}

function checkVersion({ version, log_version }: Found["fields"], { path }: ImageFile): void {
  if (version !== VERSION) throw unsupported(path, `version ${version}`);
  if (log_version !== LOG_VERSION) throw unsupported(path, `version ${log_version} of the log`);
}

function checkLog(fields: Found["fields"], file: ImageFile): void {
  if (isLogSound(fields, file)) return;
  throw damaged(file.path, "the log cannot be where it is said to be", HEADER_OFFSETS[0]);
}

/** Whether the log is one, and lies in the file. */
export function isLogSound(
  { log_length, log_offset }: Found["fields"],
  { sizeBytes }: ImageFile,
): boolean {
  const alignment = BigInt(ALIGNMENT);
  return log_length > 0 && log_length % ALIGNMENT === 0 && log_offset >= alignment &&
    log_offset % alignment === 0n && log_offset + BigInt(log_length) <= BigInt(sizeBytes);
}
