/**
 * What has been changed of an image's tables in memory, and is still to be written.
 *
 * @module
 */
import { Level, Updates } from "../../../image/updates.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import type { L1Table } from "../l1.ts";
import type { L2Slices, TablePlace } from "../l2.ts";
import type { Allocator } from "./allocator.ts";
import type { OwnTables } from "./own_tables.ts";

/** So many runs of clusters may wait to be freed, before that is done at once. */
const MAX_WAITING_RUNS = 16 * 1024;

export interface TableUpdatesParts {
  readonly file: ImageFile;
  readonly dataFile: ImageFile | undefined;
  readonly l1: L1Table;
  readonly slices: L2Slices;
  readonly allocator: Allocator;
  readonly tables: OwnTables;
}

export class TableUpdates {
  readonly #parts: TableUpdatesParts;

  constructor(parts: TableUpdatesParts) {
    this.#parts = parts;
  }

  /** Whether nobody knows what is on the disk: what is in memory may build on what is not. */
  get hasLost(): boolean {
    const { file, dataFile } = this.#parts;
    return file.hasLost || dataFile?.hasLost === true;
  }

  /** Whether there are any; of a temporary file, only those that there is no room for in memory. */
  get hasAny(): boolean {
    const { file, slices, allocator, tables } = this.#parts;
    if (file.isTemporary) return slices.isCrowded;
    return allocator.hasUpdates || slices.hasDirty || tables.isDirty;
  }

  /** Whether they had better be written now. */
  get areMany(): boolean {
    const { slices, allocator } = this.#parts;
    return slices.isCrowded || allocator.waiting > MAX_WAITING_RUNS;
  }

  /** Adds them, as they are now, to `updates`. */
  take(updates: Updates): void {
    const { file, slices, allocator, tables } = this.#parts;
    if (file.isTemporary && !slices.isCrowded) return;
    if (!file.isTemporary) allocator.takeUpdates(updates);
    slices.takeUpdates(updates, this.#placeOfTable);
    if (!file.isTemporary) tables.takeUpdates(updates);
  }

  readonly #placeOfTable = (table: number): TablePlace => ({
    level: this.#parts.tables.isNew(table) ? Level.Counts : Level.Tables,
    hostOffset: this.#parts.l1.tableOffset(table),
  });

  /** Of what was taken last, all up to this level is durable. */
  reached(level: Level): void {
    this.#parts.allocator.reached(level);
  }

  /** What was taken last is durable, or will be taken again. */
  updated(isDurable: boolean): void {
    const { slices, allocator, tables } = this.#parts;
    allocator.updated(isDurable);
    slices.updated(isDurable);
    tables.updated(isDurable);
  }

  /**
   * Makes durable what has been taken, waiting for it.
   *
   * @throws {SystemError} if that cannot be written
   */
  makeDurable(updates: Updates): void {
    try {
      for (const level of Object.values(Level)) {
        updates.write(level);
        this.#sync();
        this.reached(level);
      }
      this.updated(true);
    } catch (error) {
      this.updated(false);
      throw error;
    }
  }

  #sync(): void {
    const { file } = this.#parts;
    if (file.takeUnsynced()) file.sync();
  }
}
