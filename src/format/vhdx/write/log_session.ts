/**
 * What the headers say while an image is written to.
 *
 *     closed ──first change──> new GUIDs ──first change of tables──> a log ──conclude──> no log
 *
 * @module
 */
import { Level, type Updates } from "../../../image/updates.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { GUID_BYTES, randomGuid } from "../../kit/guid.ts";
import type { Header } from "../header.ts";
import type { MetadataPages } from "../metadata_pages.ts";
import { HeaderWriter } from "./header_writer.ts";
import { LogWriter } from "./log_writer.ts";

export class LogSession {
  /** So many pages can be changed before the changes have to be written. */
  readonly mostPages: number;
  readonly #file: ImageFile;
  readonly #headers: HeaderWriter;
  #isRenewed = false;
  #log: LogWriter | undefined;

  constructor(file: ImageFile, header: Header) {
    this.#file = file;
    this.#headers = new HeaderWriter(file, header);
    this.mostPages = LogWriter.mostPages(header.fields.log_length);
  }

  get #logOffset(): number {
    return Number(this.#headers.fields.log_offset);
  }

  /**
   * Before the first change: what lies on top of the image, as it was, finds out that it is another one.
   *
   * @throws {SystemError} if that cannot be written
   */
  renew(): void {
    if (this.#isRenewed) return;
    this.#headers.change({ file_write_guid: randomGuid(), data_write_guid: randomGuid() });
    this.#isRenewed = true;
  }

  /**
   * Before the first change of tables: from then on, who opens the image has to look at its log, in which
   * there is always a valid entry.
   *
   * @throws {SystemError} if that cannot be written
   */
  start(): void {
    if (this.#log !== undefined) return;
    const log_guid = randomGuid();
    const log = new LogWriter(this.#headers.fields.log_length, log_guid);
    const { place, bytes } = log.entry([], this.#file.sizeBytes);
    const buffer = new IoBuffer(bytes.length);
    buffer.bytes.set(bytes);
    this.#file.write(buffer, 0, this.#logOffset + place, bytes.length);
    this.#file.takeUnsynced();
    this.#file.sync();
    log.written();
    this.#headers.change({ log_guid });
    this.#log = log;
  }

  /** Adds all pages that have been changed: to the log first, then to their places. */
  takeUpdates(updates: Updates, pages: MetadataPages): void {
    const changed = pages.take();
    if (changed.length === 0 || this.#log === undefined) return;
    const { place, bytes } = this.#log.entry(changed, this.#file.sizeBytes);
    updates.add(Level.CountTables, this.#file, this.#logOffset + place, bytes);
    for (const page of changed) {
      updates.add(Level.Tables, this.#file, page.hostOffset, page.bytes);
    }
  }

  /** As {@link Tables.reached}. */
  reached(level: Level): void {
    if (level === Level.CountTables) this.#log?.written();
  }

  /**
   * Says that the log is empty; all is in its place.
   *
   * @throws {SystemError} if that cannot be written
   */
  conclude(): void {
    if (this.#log === undefined) return;
    this.#headers.change({ log_guid: new Uint8Array(GUID_BYTES) });
    this.#log = undefined;
  }
}
