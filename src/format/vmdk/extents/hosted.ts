/**
 * Hosted sparse extents: those of VMware's desktop programs, of VirtualBox and of qemu; streams, too, whose
 * grains are compressed.
 *
 * @module
 */
import type { Packing } from "../../../image/decoding.ts";
import type { Image } from "../../../image/driver.ts";
import { VMDK } from "../../../image/formats.ts";
import type { Mapping } from "../../../image/mapping.ts";
import type { Writing } from "../../../image/writing.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { StoredBlocks } from "../../kit/stored_blocks.ts";
import { startsWith } from "../../kit/starts_with.ts";
import { ENTRY_NONE, HOSTED_MARK } from "../layout.ts";
import { HostedWriting } from "../write/hosted_writing.ts";
import { Directory } from "./directory.ts";
import { GrainEntries } from "./grain_entries.ts";
import { GrainTables, NO_TABLE } from "./grain_tables.ts";
import { type HostedHeader, readHostedHeader } from "./hosted_header.ts";
import type { ExtentKind, ExtentOptions, SparseExtent } from "./kind.ts";
import { PackedGrains } from "./packed_grains.ts";

/** Hosted sparse extents. */
export const hosted: ExtentKind = {
  isMarked: (head) => startsWith(head, HOSTED_MARK),
  header: readHostedHeader,
  open: (file, options) => {
    return new HostedExtent(file, readHostedHeader(file), options);
  },
};

export class HostedExtent implements SparseExtent {
  readonly sizeBytes: number;
  readonly packing: Packing | undefined;
  readonly writing: Writing | undefined;
  readonly #header: HostedHeader;
  readonly #start: number;
  readonly #backing: Image | undefined;
  readonly #tables: GrainTables;
  readonly #entries: GrainEntries;
  readonly #stored: StoredBlocks;
  readonly #packed: PackedGrains | undefined;
  /** What one table is about. */
  readonly #tableSpan: number;

  /** @throws as {@link Directory} and {@link HostedWriting} */
  constructor(file: ImageFile, header: HostedHeader, options: ExtentOptions) {
    const { start, backing, cacheBytes, related: memory, begin } = options;
    const { directoryOffset, redundantOffset, directoryEntries: entries, tableEntries } = header;
    this.sizeBytes = header.sizeBytes;
    this.#header = header;
    this.#start = start;
    this.#backing = backing;
    const directory = new Directory(file, { hostOffset: directoryOffset, entries }, memory);
    const tables = new GrainTables(file, directory, { cacheBytes, tableEntries });
    this.#tables = tables;
    this.#entries = new GrainEntries(this.#tables.view, header);
    this.#stored = new StoredBlocks(file, VMDK.name, { blockBytes: header.grainBytes });
    this.#packed = header.isCompressed ? new PackedGrains(file, header) : undefined;
    this.packing = this.#packed?.packing;
    this.#tableSpan = tableEntries * header.grainBytes;
    if (options.readOnly) return;
    const copies = redundantOffset === undefined
      ? undefined
      : new Directory(file, { hostOffset: redundantOffset, entries }, memory);
    const parts = { file, header, directory, tables, copies };
    this.writing = new HostedWriting(parts, { hasBacking: backing !== undefined, memory, begin });
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const table = Math.floor(guestOffset / this.#tableSpan);
    const inTable = guestOffset % this.#tableSpan;
    const most = Math.min(lengthBytes, this.#tableSpan - inTable);
    const position = this.#tables.find(table, mapping);
    if (position === NO_TABLE) return this.#setBelow(guestOffset, most, mapping);
    if (position < 0) return;
    const { grainBytes } = this.#header;
    const at = this.#entries.position(position, inTable);
    const entry = this.#entries.at(at);
    const runBytes = this.#entries.runBytes(at, inTable, most);
    if (entry === ENTRY_NONE) return this.#setBelow(guestOffset, runBytes, mapping);
    if (this.#entries.isZero(entry)) return mapping.setZero(runBytes);
    const grainOffset = this.#entries.hostOffset(entry);
    if (this.#packed !== undefined) {
      return this.#packed.setPacked(grainOffset, guestOffset, most, mapping);
    }
    const inGrain = guestOffset % grainBytes;
    this.#stored.setStored(grainOffset, grainOffset + inGrain, runBytes, mapping);
  }

  #setBelow(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    mapping.setBacking(this.#backing, this.#start + guestOffset, lengthBytes);
  }

  dropCaches(): void {
    this.#tables.clear();
    this.#packed?.clear();
  }
}
