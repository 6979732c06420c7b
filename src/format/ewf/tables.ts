/**
 * Which tables there are, and which chunks they tell of.
 *
 * @module
 */
import { adler32 } from "../../codec/zlib.ts";
import type { MemoryLimit } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { damaged } from "./errors.ts";
import { CHECKSUM_BYTES, ENTRY_BYTES, MAX_TABLE_ENTRIES, TABLE } from "./layout.ts";
import { readBytes, type Section } from "./sections.ts";

/** A table. */
export interface ChunkTable {
  readonly file: ImageFile;
  /** Number of its first chunk. */
  readonly firstChunk: number;
  readonly count: number;
  /** Where its entries are, and their copy, if there is one. */
  readonly entriesOffset: number;
  readonly copyOffset: number | undefined;
  /** What their offsets count from. */
  readonly base: number;
  /** Where the last chunk ends. */
  readonly chunksEnd: number;
}

/** What one takes in memory, roughly. */
const BYTES_OF_TABLE = 128;

interface Head {
  readonly count: number;
  readonly base: number;
}

/** Collects them, section by section, in the order of the segments. */
export class TableList {
  readonly #memory: MemoryLimit | undefined;
  readonly #tables: ChunkTable[] = [];
  #chunks = 0;
  #chunksEnd = 0;

  constructor(memory: MemoryLimit | undefined) {
    this.#memory = memory;
  }

  get tables(): readonly ChunkTable[] {
    return this.#tables;
  }

  /** How many chunks they tell of. */
  get chunks(): number {
    return this.#chunks;
  }

  /**
   * Takes notice of a section, whatever it is.
   *
   * @throws {ImageFormatError} if a table cannot be true
   */
  take(file: ImageFile, section: Section): void {
    if (section.type === "sectors") this.#chunksEnd = section.dataOffset + section.dataBytes;
    if (section.type === "table") this.#add(file, section);
    if (section.type === "table2") this.#addCopy(file, section);
  }

  #add(file: ImageFile, section: Section): void {
    const head = headOf(file, section) ?? { count: 0, base: 0 };
    this.#memory?.reserveMemory(BYTES_OF_TABLE);
    this.#tables.push({
      file,
      firstChunk: this.#chunks,
      ...head,
      entriesOffset: section.dataOffset + TABLE.sizeBytes,
      copyOffset: undefined,
      chunksEnd: this.#chunksEnd,
    });
    this.#chunks += head.count;
  }

  /** Where the head of a table is damaged, its copy has another one. */
  #addCopy(file: ImageFile, section: Section): void {
    const last = this.#tables.pop();
    if (last === undefined || last.file !== file) {
      throw damaged(file, "a copy of no table", section.hostOffset);
    }
    const entriesOffset = section.dataOffset + TABLE.sizeBytes;
    const head = headOf(file, section);
    if (last.count > 0 || head === undefined) {
      this.#tables.push({ ...last, copyOffset: head === undefined ? undefined : entriesOffset });
      return;
    }
    this.#tables.push({ ...last, ...head, entriesOffset });
    this.#chunks += head.count;
  }
}

/** Undefined where it is damaged. */
function headOf(file: ImageFile, { dataOffset, dataBytes, hostOffset }: Section): Head | undefined {
  if (dataBytes < TABLE.sizeBytes) return undefined;
  const { bytes, view } = readBytes(file, dataOffset, TABLE.sizeBytes);
  const { entries: count, base, checksum } = TABLE.read(view, 0);
  if (adler32(bytes.subarray(0, TABLE.offsets.checksum)) !== checksum) return undefined;
  if (
    count > MAX_TABLE_ENTRIES || count * ENTRY_BYTES + CHECKSUM_BYTES > dataBytes - TABLE.sizeBytes
  ) {
    throw damaged(file, `a table of ${count} entries is not possible`, hostOffset);
  }
  return { count, base: Number(base) };
}
