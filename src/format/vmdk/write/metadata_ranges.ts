/**
 * Where an extent has its metadata: nothing may lie there twice, nor any grain among it, before it is
 * written to.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { ONLY_READABLE } from "../../../image/errors.ts";
import { damaged } from "../errors.ts";
import type { Directory } from "../extents/directory.ts";
import type { GrainTables } from "../extents/grain_tables.ts";
import type { HostedHeader } from "../extents/hosted_header.ts";
import { ENTRY_BYTES, SECTOR_BYTES } from "../layout.ts";

/** What an extent consists of, as far as metadata go. */
export interface HostedParts {
  readonly file: ImageFile;
  readonly header: HostedHeader;
  readonly directory: Directory;
  readonly tables: GrainTables;
  /** That of the tables' copies; undefined if there are none. */
  readonly copies: Directory | undefined;
}

/**
 * Where the last of the metadata ends, in bytes.
 *
 * @throws {ImageFormatError} if a table is missing, or not in the file, or two structures share a place
 */
export function metadataEnd({ file, header, directory, copies }: HostedParts): number {
  const tableBytes = header.tableEntries * ENTRY_BYTES;
  const all = copies === undefined ? [directory] : [directory, copies];
  const { count } = directory;
  const starts = new Float64Array(all.length * count);
  for (const [nth, one] of all.entries()) {
    for (let n = 0; n < count; n++) starts[nth * count + n] = one.hostOffset(n);
  }
  starts.sort();
  const refuse = (message: string): never => {
    throw damaged(file.path, `${message}: ${ONLY_READABLE}`);
  };
  const fixed = fixedRanges(header);
  let end = Math.max(...fixed.map((range) => range.end));
  let last = -Infinity;
  for (const start of starts) {
    if (start === 0) refuse("a grain table is missing");
    if (start + tableBytes > file.sizeBytes) refuse("a grain table is not in the file");
    const isShared = start < last + tableBytes ||
      fixed.some((range) => start < range.end && range.start < start + tableBytes);
    if (isShared) refuse("a grain table is where something else is");
    last = start;
    end = Math.max(end, start + tableBytes);
  }
  return end;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Everything but tables. */
function fixedRanges(header: HostedHeader): Range[] {
  const { descriptor, directoryOffset, redundantOffset, directoryEntries } = header;
  const at = (start: number, lengthBytes: number): Range => ({ start, end: start + lengthBytes });
  const directoryBytes = directoryEntries * ENTRY_BYTES;
  return [
    at(0, SECTOR_BYTES),
    at(directoryOffset, directoryBytes),
    ...(redundantOffset === undefined ? [] : [at(redundantOffset, directoryBytes)]),
    ...(descriptor === undefined ? [] : [at(descriptor.hostOffset, descriptor.lengthBytes)]),
  ];
}
