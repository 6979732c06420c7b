/**
 * All tables of an image, looked at once: which clusters they use, and what is wrong with them.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { hex } from "../../qcow/errors.ts";
import { type Header, wholeClusters } from "../header.ts";
import { ENTRY_FREE, TABLE_ENTRY_BYTES } from "../layout.ts";
import { entryAt, isPlace, setEntry } from "../table_entries.ts";
import { UsedClusters } from "./used_clusters.ts";

/** So much of a table is read at once. */
const CHUNK_BYTES = 64 * 1024;

/** How it is looked at. */
export interface SurveyOptions {
  /** Whether entries that lead nowhere are taken out. */
  readonly repairs: boolean;
  readonly report: (line: string) => void;
  readonly progress?: ((part: number) => void) | undefined;
}

/** What is found. */
export interface Findings {
  /** Entries that refer to what is no cluster of the file; a repair takes them out. */
  readonly misled: number;
  /** Clusters that are used for two things, which nothing repairs. */
  readonly shared: number;
  readonly used: UsedClusters;
  readonly allocated: number;
  readonly fragmented: number;
}

/**
 * Reads all tables; after a repair, what it has changed has been written.
 *
 * @throws {RangeError} if that takes too much memory
 * @throws {SystemError} if the file cannot be read, or written
 */
export function survey(file: ImageFile, header: Header, options: SurveyOptions): Findings {
  const { clusterBytes, headBytes, l1Offset, tableBytes } = header;
  const fileBytes = wholeClusters(file.sizeBytes, clusterBytes);
  const used = new UsedClusters(fileBytes / clusterBytes);
  const found = { misled: 0, shared: 0, used, allocated: 0, fragmented: 0 };
  const use = (hostOffset: number, lengthBytes: number, at: number): boolean => {
    const isCluster = hostOffset % clusterBytes === 0 && hostOffset >= headBytes &&
      hostOffset + lengthBytes <= fileBytes;
    if (!isCluster) {
      found.misled++;
      options.report(`the entry at ${hex(at)} refers to ${hex(hostOffset)}, which is no cluster`);
      return false;
    }
    if (used.claim(hostOffset / clusterBytes, lengthBytes / clusterBytes)) return true;
    found.shared++;
    options.report(`the entry at ${hex(at)} refers to ${hex(hostOffset)}, which is in use already`);
    return true;
  };
  used.claim(0, headBytes / clusterBytes);
  used.claim(l1Offset / clusterBytes, tableBytes / clusterBytes);
  const l2 = new IoBuffer(Math.min(CHUNK_BYTES, tableBytes));
  const visitTable = (table: number, at: number): boolean => {
    options.progress?.((at - l1Offset) / tableBytes);
    const shared = found.shared;
    if (!use(table, tableBytes, at)) return false;
    // What is in a table that is something else, too, says nothing.
    if (found.shared > shared) return true;
    let last = 0;
    visitEntries(
      { file, buffer: l2, hostOffset: table, tableBytes, ...options },
      (place, entryAt) => {
        found.allocated++;
        if (last !== 0 && place !== last + clusterBytes) found.fragmented++;
        last = place;
        return use(place, clusterBytes, entryAt);
      },
    );
    return true;
  };
  const l1 = new IoBuffer(Math.min(CHUNK_BYTES, tableBytes));
  visitEntries({ file, buffer: l1, hostOffset: l1Offset, tableBytes, ...options }, visitTable);
  return found;
}

/** A table, and what is done with it. */
interface Visit extends Pick<SurveyOptions, "repairs"> {
  readonly file: ImageFile;
  readonly buffer: IoBuffer;
  readonly hostOffset: number;
  readonly tableBytes: number;
}

/** @param visit is told of each place and where its entry is, and answers whether it stays */
function visitEntries(
  { file, buffer, hostOffset, tableBytes, repairs }: Visit,
  visit: (place: number, entryOffset: number) => boolean,
): void {
  for (let start = 0; start < tableBytes; start += buffer.size) {
    file.read(buffer, 0, hostOffset + start, buffer.size);
    let isChanged = false;
    for (let at = 0; at < buffer.size; at += TABLE_ENTRY_BYTES) {
      const entry = entryAt(buffer.view, at);
      if (!isPlace(entry) || visit(entry, hostOffset + start + at)) continue;
      setEntry(buffer.view, at, ENTRY_FREE);
      isChanged = true;
    }
    if (isChanged && repairs) file.write(buffer, 0, hostOffset + start, buffer.size);
  }
}
