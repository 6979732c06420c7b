/**
 * What changes an image of version 1.
 *
 * @module
 */
import { unlessOnlyReadable } from "../../image/errors.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import type { Encryption } from "../qcow/encryption.ts";
import { FORMAT } from "../qcow/errors.ts";
import type { L1Table } from "../qcow/l1.ts";
import type { L2Slices } from "../qcow/l2.ts";
import { type EntryFormat, EntryKind } from "../uncounted/entry_format.ts";
import { MetadataMap, type MetadataParts } from "../uncounted/metadata_map.ts";
import { UncountedWriting } from "../uncounted/writing.ts";
import { cutUnusedEnd, refuseDanglingEntries } from "./dangling_entries.ts";
import type { Header } from "./header.ts";
import { HEADER, L2_COMPRESSED_HIGH, SECTOR_BYTES, TABLE_ENTRY_BYTES } from "./layout.ts";

/** What an image consists of that is to be changed. */
export interface WritingParts {
  readonly file: ImageFile;
  readonly header: Header;
  readonly l1: L1Table;
  readonly slices: L2Slices;
  readonly hasBacking: boolean;
  readonly encryption: Encryption | undefined;
}

const ENTRY_FORMAT: EntryFormat = {
  name: FORMAT,
  alignmentBytes: SECTOR_BYTES,
  kindAt: (view, position) => {
    const high = view.getUint32(position);
    if ((high & L2_COMPRESSED_HIGH) !== 0) return EntryKind.Compressed;
    const isFree = high === 0 && view.getUint32(position + 4) === 0;
    return isFree ? EntryKind.Unallocated : EntryKind.Normal;
  },
  hostOffsetAt: (view, position) =>
    view.getUint32(position) * 2 ** 32 + view.getUint32(position + 4),
  setPlace: (view, position, hostOffset) => {
    view.setUint32(position, Math.floor(hostOffset / 2 ** 32));
    view.setUint32(position + 4, hostOffset >>> 0);
  },
};

/**
 * @throws {ImageFormatError} if the image cannot be changed as it is: metadata overlap, or an entry leads
 *   out of the file
 * @throws {SystemError} if a table cannot be read
 */
export function writingOf(parts: WritingParts): UncountedWriting {
  const { file, header, l1 } = parts;
  return unlessOnlyReadable(() => {
    const metadata = new MetadataMap(file, metadataOf(header), l1);
    refuseDanglingEntries(file, header, l1);
    return new UncountedWriting({
      ...parts,
      layout: header,
      format: ENTRY_FORMAT,
      metadata,
      cutUnusedEnd: () => cutUnusedEnd(file, header, l1),
    });
  });
}

function metadataOf({ backingPlace, l1Offset, l1Entries, tableBytes }: Header): MetadataParts {
  return {
    format: FORMAT,
    head: [
      { hostOffset: 0, lengthBytes: HEADER.sizeBytes },
      ...(backingPlace === undefined ? [] : [backingPlace]),
    ],
    l1: { hostOffset: l1Offset, lengthBytes: l1Entries * TABLE_ENTRY_BYTES },
    tableBytes,
  };
}
