/**
 * Opening an image of version 1. Once it is open, it is like one of version 2: the same two levels of
 * tables, with other entries.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import { CompressionMethod } from "../../image/decoding.ts";
import type { Image, OpenOptions } from "../../image/driver.ts";
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { QCOW1 } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { DiskSize } from "../qcow/disk_size.ts";
import { openLegacyEncryption } from "../qcow/encryption.ts";
import { QcowImage } from "../qcow/image.ts";
import { L1Table } from "../qcow/l1.ts";
import { L2Slices } from "../qcow/l2.ts";
import { CryptMethod } from "../qcow/layout.ts";
import { Places } from "../qcow/places.ts";
import { Version1Clusters } from "./clusters.ts";
import { type Header, readHeader } from "./header.ts";
import { TABLE_ENTRY_BITS, TABLE_ENTRY_BYTES } from "./layout.ts";
import { writingOf, type WritingParts } from "./writing.ts";

/**
 * @throws {ImageFormatError} if the header is damaged
 * @throws {UnsupportedFeatureError} if a snapshot is asked for, or a backing file cannot be
 * @throws {SecretError} if the image is encrypted and there is no passphrase
 * @throws as {@link RelatedFiles}
 */
export function openQcow1(file: ImageFile, options: OpenOptions): QcowImage {
  if (options.snapshot !== undefined) {
    throw new UnsupportedFeatureError(QCOW1.name, file.path, "internal snapshots");
  }
  const header = readHeader(file);
  options.related?.reserveMemory(header.l1Entries * TABLE_ENTRY_BYTES);
  const layout = { ...header, l2EntryBits: TABLE_ENTRY_BITS, tableAlignmentBytes: 1 };
  const { metadataCacheBytes = DEFAULT_CACHES.metadataCacheBytes } = options;
  const slices = new L2Slices(file, layout, metadataCacheBytes);
  const backing = openBacking(file, header, options);
  const encryption = header.cryptMethod === CryptMethod.none
    ? undefined
    : openLegacyEncryption(file, options);
  try {
    return imageOf({ file, header, slices, backing, encryption }, options);
  } catch (error) {
    encryption?.cipher?.[Symbol.dispose]();
    throw error;
  }
}

interface Opened extends Omit<WritingParts, "l1" | "hasBacking"> {
  readonly backing: Image | undefined;
}

function imageOf(opened: Opened, { readOnly }: OpenOptions): QcowImage {
  const { file, header, slices, backing, encryption } = opened;
  const { clusterBytes } = header;
  const storage = { clusterBytes, compression: CompressionMethod.Deflate, encryption };
  const places = new Places(file, backing === undefined ? {} : { backing }, storage);
  const l1 = new L1Table(file, header, wholeEntry);
  const hasBacking = backing !== undefined;
  return new QcowImage({
    size: new DiskSize(header.sizeBytes),
    clusterBytes,
    tableCoversBytes: header.tableBytes / TABLE_ENTRY_BYTES * clusterBytes,
    warnings: [],
    l1,
    writing: readOnly ? undefined : writingOf({ ...opened, l1, hasBacking }),
    slices,
    places,
    clusters: new Version1Clusters(header, slices, places),
    encryption,
    isPreallocated: () => false,
  });
}

/** All bits are the offset's; one that no number can hold exactly is past the end of every file. */
function wholeEntry(view: DataView, position: number): number {
  return view.getUint32(position) * 2 ** 32 + view.getUint32(position + 4);
}

function openBacking(
  file: ImageFile,
  { backingName }: Header,
  { related }: OpenOptions,
): Image | undefined {
  if (backingName === undefined) return undefined;
  if (related !== undefined) return related.openBacking(file, backingName, undefined);
  throw new UnsupportedFeatureError(QCOW1.name, file.path, "a backing file");
}
