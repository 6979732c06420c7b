/**
 * The image's own file as clusters: how long it is, which of them are blank, and what becomes of those
 * that nobody uses. How often they are used is not asked here.
 *
 *     | in the file when it was opened | added since            | blank: holes           |
 *                                      ^ #addedFrom             ^ #blankFrom             ^ end of the file
 *
 * Of a file that ends in holes, #blankFrom is before #addedFrom at first.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { EFBIG, ENOSPC, SystemError } from "../../../sys/errno.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { damaged, hex } from "../errors.ts";
import type { ClusterSet } from "./cluster_set.ts";

/** The file gets longer by this part of what it is, as a hole, but within these bounds. */
const GROWTH = { part: 1 / 8, leastBytes: 64 * 1024, mostBytes: 16 * 1024 * 1024 } as const;
/** Zeros are written in pieces of this size. */
const ZEROS_BYTES = 64 * 1024;
/** No file is longer. */
const MAX_FILE_BYTES = 2 ** 52;
/** So much of the file's end is looked at to find what is blank, in no more parts than that. */
const MOST_TAIL = { clusters: 64 * 1024, parts: 256 } as const;

const FALLOC_FL_KEEP_SIZE = 0x01;
const FALLOC_FL_PUNCH_HOLE = 0x02;

/** What is to be known of the file's clusters. */
export interface ClusterFileParts {
  readonly clusterBytes: number;
  /** Those that hold metadata. */
  readonly metadata: ClusterSet;
  /** Whether freed clusters are given back to the file system. */
  readonly punches: boolean;
}

export class ClusterFile {
  readonly #file: ImageFile;
  readonly #parts: ClusterFileParts;
  /** Clusters from this one on have never been used, and are holes. */
  #blankFrom: number;
  /** Clusters from this one on are in the file only since it was opened. */
  readonly #addedFrom: number;
  #zeros: IoBuffer | undefined;

  constructor(file: ImageFile, parts: ClusterFileParts) {
    this.#file = file;
    this.#parts = parts;
    this.#addedFrom = Math.ceil(file.sizeBytes / parts.clusterBytes);
    this.#blankFrom = file.canGrow ? this.#addedFrom : Infinity;
  }

  /** Clusters from this one on have never been used, and are holes; infinite if there is no such thing. */
  get blankFrom(): number {
    return this.#blankFrom;
  }

  /**
   * Finds out from where on the file that was opened has nothing but holes that nobody uses: who was killed
   * leaves such an end. What has been punched there comes back with no crash, for the file is synced
   * first.
   *
   * @throws {SystemError} if that fails
   */
  findBlankTail(isUnused: (cluster: number) => boolean): void {
    if (this.#blankFrom !== this.#addedFrom) return;
    const least = Math.max(0, this.#addedFrom - MOST_TAIL.clusters);
    let first = this.#addedFrom;
    while (first > least && isUnused(first - 1)) first--;
    if (first === this.#addedFrom) return;
    this.#file.sync();
    this.#blankFrom = this.#behindData(first);
  }

  /** The first cluster from `first` on from which on there are only holes. */
  #behindData(first: number): number {
    const { clusterBytes } = this.#parts;
    const { sizeBytes } = this.#file;
    let blankFrom = first;
    let at = first * clusterBytes;
    for (let parts = 0; at < sizeBytes; parts++) {
      if (parts === MOST_TAIL.parts) return this.#addedFrom;
      const stored = this.#file.storedBytes(at, sizeBytes - at);
      at += Math.abs(stored);
      if (stored > 0) blankFrom = Math.ceil(at / clusterBytes);
    }
    return blankFrom;
  }

  /** Of an image that was cut off, what lies behind its end may have been written since. */
  hasBeenUsed(cluster: number): void {
    this.#blankFrom = Math.max(this.#blankFrom, cluster + 1);
  }

  /**
   * Checks that clusters that count as free may be used, and sees to it that the file has them.
   *
   * @returns whether they are blank
   * @throws {ImageFormatError} if they are in use
   * @throws {SystemError} ENOSPC or EFBIG if the file cannot be longer
   */
  claim(first: number, count: number): boolean {
    this.#refuseMetadata(first, count);
    this.#makeRoom(first, count);
    const isBlank = first >= this.#blankFrom;
    if (isBlank) this.#blankFrom = first + count;
    return isBlank;
  }

  #refuseMetadata(first: number, count: number): void {
    const { clusterBytes, metadata } = this.#parts;
    for (let cluster = first; cluster < first + count; cluster++) {
      if (!metadata.has(cluster)) continue;
      const hostOffset = cluster * clusterBytes;
      const message = `the metadata at ${hex(hostOffset)} count as free`;
      throw damaged(this.#file.path, message, hostOffset);
    }
  }

  /** Has the file be so long that it has these clusters. */
  #makeRoom(first: number, count: number): void {
    const { clusterBytes } = this.#parts;
    const endBytes = (first + count) * clusterBytes;
    if (endBytes > MAX_FILE_BYTES) throw new SystemError("write", EFBIG, this.#file.path);
    if (endBytes <= this.#file.sizeBytes) return;
    if (!this.#file.canGrow) throw new SystemError("write", ENOSPC, this.#file.path);
    this.#file.setSize(grownSize(endBytes, clusterBytes));
  }

  /** Others may have written to all that the file has. */
  allHasBeenUsed(): void {
    const { clusterBytes } = this.#parts;
    if (this.#file.canGrow) this.hasBeenUsed(Math.ceil(this.#file.sizeBytes / clusterBytes) - 1);
  }

  /** @throws {SystemError} if that cannot be written */
  writeZeros(cluster: number): void {
    const { clusterBytes } = this.#parts;
    const zeros = this.#zeros ??= new IoBuffer(Math.min(ZEROS_BYTES, clusterBytes));
    const start = cluster * clusterBytes;
    for (let at = 0; at < clusterBytes; at += zeros.size) {
      this.#file.write(zeros, 0, start + at, zeros.size);
    }
  }

  /** Gives clusters back to the file system; as {@link ClusterFile.punchBytes}. */
  punch(first: number, count: number): void {
    const { clusterBytes } = this.#parts;
    this.punchBytes(first * clusterBytes, count * clusterBytes);
  }

  /** Gives a range back to the file system. That it cannot be done only means that the file stays as large as it is. */
  punchBytes(hostOffset: number, lengthBytes: number): void {
    if (lengthBytes === 0 || !this.#parts.punches) return;
    const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    try {
      this.#file.allocate(mode, hostOffset, lengthBytes);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }

  /**
   * Cuts off the end of the file that nobody uses; but, whatever `isUnused` says, nothing that was there when
   * it was opened.
   *
   * @throws {SystemError} if that cannot be done
   */
  cutTail(isUnused: (cluster: number) => boolean): void {
    if (!this.#file.canGrow) return;
    const { clusterBytes } = this.#parts;
    let end = Math.ceil(this.#file.sizeBytes / clusterBytes);
    while (end > this.#addedFrom && isUnused(end - 1)) end--;
    if (end * clusterBytes < this.#file.sizeBytes) this.#file.setSize(end * clusterBytes);
  }

  dropCaches(): void {
    this.#zeros = undefined;
  }
}

/** How long a file becomes that has to be `endBytes` long: a multiple of powers of two. */
function grownSize(endBytes: number, clusterBytes: number): number {
  const { part, leastBytes, mostBytes } = GROWTH;
  const wanted = 2 ** Math.floor(Math.log2(endBytes * part));
  const stepBytes = Math.max(clusterBytes, Math.min(Math.max(wanted, leastBytes), mostBytes));
  return Math.ceil(endBytes / stepBytes) * stepBytes;
}
