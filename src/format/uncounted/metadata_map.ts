/**
 * Where the metadata of an image are: no guest's byte may ever be written there. Clusters begin at any
 * sector in some of these formats, so it is sectors that count.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { ImageFormatError } from "../../image/errors.ts";
import { hex } from "../qcow/errors.ts";
import type { L1Table } from "../qcow/l1.ts";
import { ClusterSet } from "../qcow/write/cluster_set.ts";
import { ENTRY_BYTES } from "./entry_format.ts";

const SECTOR_BYTES = 512;

/** What all tables may amount to: those of a disk of 512 GiB, with clusters as qemu makes them. */
const MAX_SECTORS = 2 * 1024 * 1024;

/** A part of the file. */
export interface FileArea {
  readonly hostOffset: number;
  readonly lengthBytes: number;
}

/** What there is besides L2 tables. */
export interface MetadataParts {
  /** Name of the driver, for errors. */
  readonly format: string;
  /** The header, and what belongs to it. */
  readonly head: readonly FileArea[];
  readonly l1: FileArea;
  readonly tableBytes: number;
}

/** Sectors that hold metadata, to be kept up to date. */
export class MetadataMap {
  readonly #sectors = new ClusterSet();
  readonly #file: ImageFile;
  readonly #format: string;
  #count = 0;

  /**
   * @throws {ImageFormatError} if metadata overlap, are not in the file, or lie so that writing an entry
   *   could tear another one
   */
  constructor(file: ImageFile, parts: MetadataParts, l1: L1Table) {
    this.#file = file;
    this.#format = parts.format;
    this.#addHead(parts);
    for (let index = 0; index < l1.entries; index++) {
      const hostOffset = l1.tableOffset(index);
      if (hostOffset !== 0) this.addTable(hostOffset, parts.tableBytes);
    }
  }

  /** The header and the L1 table may lie close together: they may share sectors. */
  #addHead({ head, l1 }: MetadataParts): void {
    const { hostOffset: l1Offset, lengthBytes: l1Bytes } = l1;
    if (l1Offset % ENTRY_BYTES !== 0) {
      throw this.#fault(`the L1 table at ${hex(l1Offset)} is not aligned`, l1Offset);
    }
    for (const { hostOffset, lengthBytes } of head) {
      if (l1Offset < hostOffset + lengthBytes && hostOffset < l1Offset + l1Bytes) {
        throw this.#fault(`the L1 table at ${hex(l1Offset)} overlaps other metadata`, l1Offset);
      }
    }
    for (const { hostOffset, lengthBytes } of [...head, l1]) this.#add(hostOffset, lengthBytes);
  }

  /** @throws {ImageFormatError} if an L2 table of `lengthBytes` cannot be at `hostOffset` */
  addTable(hostOffset: number, lengthBytes: number): void {
    const at = hex(hostOffset);
    if (hostOffset % SECTOR_BYTES !== 0) {
      throw this.#fault(`the L2 table at ${at} is not aligned`, hostOffset);
    }
    if (hostOffset + lengthBytes > this.#file.sizeBytes) {
      throw this.#fault(`the L2 table at ${at} is not in the file`, hostOffset);
    }
    if (this.overlaps(hostOffset, lengthBytes)) {
      throw this.#fault(`the L2 table at ${at} overlaps other metadata`, hostOffset);
    }
    this.#add(hostOffset, lengthBytes);
  }

  #add(hostOffset: number, lengthBytes: number): void {
    const end = Math.ceil((hostOffset + lengthBytes) / SECTOR_BYTES);
    const first = Math.floor(hostOffset / SECTOR_BYTES);
    this.#count += end - first;
    if (this.#count > MAX_SECTORS) {
      throw this.#fault("there are more metadata than can be watched", hostOffset);
    }
    for (let sector = first; sector < end; sector++) this.#sectors.add(sector);
  }

  /** Whether some of a range, which begins with a sector, is metadata. */
  overlaps(hostOffset: number, lengthBytes: number): boolean {
    const end = Math.ceil((hostOffset + lengthBytes) / SECTOR_BYTES);
    for (let sector = hostOffset / SECTOR_BYTES; sector < end; sector++) {
      if (this.#sectors.has(sector)) return true;
    }
    return false;
  }

  #fault(message: string, hostOffset: number): Error {
    return new ImageFormatError(this.#format, this.#file.path, message, hostOffset);
  }
}
