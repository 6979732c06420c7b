/**
 * What changes an image.
 *
 * While it is open, and after a crash, the header says that it has to be checked, though nothing is ever
 * referred to before it is there: all that a crash can leave are clusters that nobody uses.
 *
 * @module
 */
import { QED } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import type { L1Table } from "../qcow/l1.ts";
import type { L2Slices } from "../qcow/l2.ts";
import { type EntryFormat, EntryKind } from "../uncounted/entry_format.ts";
import { MetadataMap } from "../uncounted/metadata_map.ts";
import { UncountedWriting } from "../uncounted/writing.ts";
import { readyForWriting } from "./check/check.ts";
import { type Header, readHeader } from "./header.ts";
import { HeaderMark } from "./header_mark.ts";
import { ENTRY_FREE, ENTRY_ZERO } from "./layout.ts";
import { entryAt, setEntry } from "./table_entries.ts";

/** Of a larger cluster, the rest takes too much memory where only a part of it is written. */
const MAX_WRITTEN_CLUSTER_BYTES = 16 * 1024 * 1024;

/** What an image consists of that is to be changed; its tables have been looked at. */
export interface WritingParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly l1: L1Table;
  readonly slices: L2Slices;
  readonly hasBacking: boolean;
}

/** @throws {ImageFormatError} if there are more tables than can be watched */
export function writingOf(parts: WritingParts): UncountedWriting {
  const { file, header, l1 } = parts;
  const { headBytes, l1Offset, tableBytes, clusterBytes } = header;
  const metadata = new MetadataMap(file, {
    format: QED.name,
    head: [{ hostOffset: 0, lengthBytes: headBytes }],
    l1: { hostOffset: l1Offset, lengthBytes: tableBytes },
    tableBytes,
  }, l1);
  return new UncountedWriting({
    ...parts,
    layout: header,
    format: entryFormat(clusterBytes),
    metadata,
    mark: new HeaderMark(file, header),
    cutUnusedEnd: () => readyForWriting(file, readHeader(file)),
    encryption: undefined,
  });
}

/** What of an image cannot be written to; undefined if all can. */
export function obstacleIn({ clusterBytes }: Header): string | undefined {
  return clusterBytes > MAX_WRITTEN_CLUSTER_BYTES ? `clusters of ${clusterBytes} bytes` : undefined;
}

function entryFormat(clusterBytes: number): EntryFormat {
  return {
    name: QED.name,
    alignmentBytes: clusterBytes,
    kindAt: (view, position) => {
      const entry = entryAt(view, position);
      if (entry === ENTRY_FREE) return EntryKind.Unallocated;
      return entry === ENTRY_ZERO ? EntryKind.Zero : EntryKind.Normal;
    },
    hostOffsetAt: entryAt,
    setPlace: setEntry,
    setZero: (view, position) => setEntry(view, position, ENTRY_ZERO),
  };
}
