/**
 * Where new clusters come from: behind all that are stored. After a crash, what was given out there and not
 * referred to yet is given out once more.
 *
 *     | header, BAT | stored when it was opened | given out since | never given out
 *                                               ^ #base           ^ #cursor
 *
 * @module
 */
import { ImageFormatError } from "../../../image/errors.ts";
import { PARALLELS } from "../../../image/formats.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { ClusterRuns } from "../../qcow/write/cluster_runs.ts";
import type { Header } from "../header.ts";
import { ENTRY_BYTES, ENTRY_FREE, HEADER, SECTOR_BYTES } from "../layout.ts";

/** So much of the BAT is read at once. */
const CHUNK_BYTES = 64 * 1024;

/** Clusters that lie side by side. */
export interface ClusterRun {
  readonly hostOffset: number;
  readonly count: number;
}

export class ClusterSpace {
  readonly #clusterBytes: number;
  readonly #base: number;
  /** How many have been given out. */
  #cursor = 0;
  /** Numbers, from the base on, of those that came back. */
  readonly #returned = new ClusterRuns();

  /**
   * Reads the whole BAT.
   *
   * @throws {ImageFormatError} if two clusters share a place, or one is not in the file
   * @throws {SystemError} if the BAT cannot be read
   */
  constructor(file: ImageFile, header: Header) {
    const { clusterBytes, entryUnitBytes, dataOffset } = header;
    this.#clusterBytes = clusterBytes;
    const end = endOfStored(file, header);
    const alignment = Math.max(entryUnitBytes, SECTOR_BYTES);
    this.#base = Math.ceil(Math.max(end, dataOffset) / alignment) * alignment;
  }

  /** Gives out up to `most` clusters. */
  take(most: number): ClusterRun {
    const returned = this.#returned.takeFirst(most);
    const [first, count] = returned ?? [this.#cursor, most];
    if (returned === undefined) this.#cursor += most;
    return { hostOffset: this.#base + first * this.#clusterBytes, count };
  }

  /** Takes clusters back that nobody has come to use. */
  giveBack({ hostOffset, count }: ClusterRun): void {
    this.#returned.add((hostOffset - this.#base) / this.#clusterBytes, count);
  }

  /** Where the last cluster ends that is used, once nothing is given out any more. */
  usedEnd(): number {
    const unused = new Set<number>();
    for (let run = 0; run < this.#returned.runs; run++) {
      const first = this.#returned.firstOf(run);
      for (let n = 0; n < this.#returned.countOf(run); n++) unused.add(first + n);
    }
    let end = this.#cursor;
    while (unused.has(end - 1)) end--;
    return this.#base + end * this.#clusterBytes;
  }
}

/** @throws as {@link ClusterSpace} */
function endOfStored(file: ImageFile, header: Header): number {
  const { clusterBytes, entryUnitBytes, dataOffset } = header;
  const refuse = (offset: number, why: string): never => {
    const message = `the cluster at 0x${offset.toString(16)} ${why}`;
    throw new ImageFormatError(PARALLELS.name, file.path, message, offset);
  };
  let end = 0;
  for (const entry of storedEntries(file, header)) {
    const offset = entry * entryUnitBytes;
    if (offset < dataOffset || offset >= file.sizeBytes) refuse(offset, "cannot be in the file");
    if (offset < end) refuse(offset, "is stored for two clusters of the disk");
    end = offset + clusterBytes;
  }
  return end;
}

/** Entries that refer to a place, in the order of these. */
function storedEntries(file: ImageFile, { entries }: Header): Uint32Array {
  const found = new Uint32Array(entries);
  const chunk = new IoBuffer(CHUNK_BYTES);
  let count = 0;
  for (let start = 0; start < entries * ENTRY_BYTES; start += CHUNK_BYTES) {
    const lengthBytes = Math.min(CHUNK_BYTES, entries * ENTRY_BYTES - start);
    file.read(chunk, 0, HEADER.sizeBytes + start, lengthBytes);
    for (let at = 0; at < lengthBytes; at += ENTRY_BYTES) {
      const entry = chunk.view.getUint32(at, true);
      if (entry !== ENTRY_FREE) found[count++] = entry;
    }
  }
  return found.subarray(0, count).sort();
}
