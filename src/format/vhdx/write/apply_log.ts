/**
 * Putting what the log has into its place, in the file.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { GUID_BYTES, randomGuid } from "../../kit/guid.ts";
import type { Header } from "../header.ts";
import type { LogEntry } from "../log/entry.ts";
import { applied, sizeAfter } from "../log/replay.ts";
import { HeaderWriter } from "./header_writer.ts";

/**
 * Applies `entries`, durably, and then empties the log.
 *
 * @throws {ImageFormatError} if what the log says cannot be
 * @throws {SystemError} if that cannot be written
 */
export function applyLog(file: ImageFile, header: Header, entries: readonly LogEntry[]): void {
  const sizeBytes = sizeAfter(file, entries);
  for (const _ of applied(file, entries, { limit: { sizeBytes }, image: file, memory: undefined }));
  // Only now: what is to be zeros of what the file gets needs not be written.
  if (sizeBytes > file.sizeBytes && file.canGrow) file.setSize(sizeBytes);
  file.takeUnsynced();
  file.sync();
  const log_guid = new Uint8Array(GUID_BYTES);
  new HeaderWriter(file, header).change({ file_write_guid: randomGuid(), log_guid });
}
