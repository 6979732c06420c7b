/**
 * Opening an image of version 2 or 3: the parts are put together as its header says.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import type { OpenOptions } from "../../image/driver.ts";
import { ImageFormatError } from "../../image/errors.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { refuseCutOff, repairUnclosed } from "./check/before_writing.ts";
import { compressionMethod } from "./compression.ts";
import { openEncryption } from "./encryption.ts";
import { DiskSize } from "./disk_size.ts";
import { damaged } from "./errors.ts";
import { ExtendedClusters } from "./extended_clusters.ts";
import { readHeader } from "./header.ts";
import type { Header } from "./header_types.ts";
import { QcowImage } from "./image.ts";
import { L1Table, offsetInEntry } from "./l1.ts";
import { L2Slices } from "./l2.ts";
import { TABLE_ENTRY_BYTES } from "./layout.ts";
import { openRelated } from "./names.ts";
import { Places } from "./places.ts";
import { isPreallocated } from "./preallocation.ts";
import { refreshSize } from "./size_refresh.ts";
import { headerOfSnapshot } from "./snapshots/read.ts";
import { StandardClusters } from "./standard_clusters.ts";
import { QcowWriting, type WritingParts } from "./write/writing.ts";

const CORRUPT = "the image is marked as corrupt";
const READABLE = "-r attaches it read-only";
const FORCIBLE = "--force attaches it all the same, read-only";
const REPAIRABLE = "--check --repair all takes the mark off if no damage is left";
const CHECKABLE = "--check tells what is wrong";

/** @throws as {@link chosenHeader}, {@link openRelated} and {@link openEncryption} */
export function openQcow(file: ImageFile, options: OpenOptions): QcowImage {
  const warnings = readiedForWriting(file, options);
  const header = chosenHeader(file, options);
  const { clusterBytes } = header;
  options.related?.reserveMemory(header.l1Entries * TABLE_ENTRY_BYTES);
  const layout = {
    ...header,
    mayGrow: options.snapshot === undefined,
    tableBytes: clusterBytes,
    tableAlignmentBytes: clusterBytes,
  };
  const { metadataCacheBytes = DEFAULT_CACHES.metadataCacheBytes } = options;
  const slices = new L2Slices(file, layout, metadataCacheBytes);
  const related = openRelated(file, header, options);
  const encryption = openEncryption(file, header, options);
  try {
    return imageOf({ file, header, slices, related, encryption }, { ...options, warnings });
  } catch (error) {
    encryption?.cipher?.[Symbol.dispose]();
    throw error;
  }
}

/** Whether what is opened is to be written to. */
function isForWriting({ readOnly, snapshot }: OpenOptions): boolean {
  return !readOnly && snapshot === undefined;
}

/**
 * Repairs an image that is to be written to, and was not closed in order; returns what there is to be
 * said of that.
 *
 * @throws as {@link repairUnclosed}
 */
function readiedForWriting(file: ImageFile, options: OpenOptions): string[] {
  if (!isForWriting(options)) return [];
  const { dirty, corrupt } = chosenHeader(file, options);
  return dirty && !corrupt ? [repairUnclosed(file)] : [];
}

function imageOf(
  opened: Omit<WritingParts, "l1" | "size" | "punches">,
  options: OpenOptions & { readonly warnings: readonly string[] },
): QcowImage {
  const { file, header, slices, related, encryption } = opened;
  const { clusterBytes } = header;
  const size = new DiskSize(header.sizeBytes);
  const compression = compressionMethod(header.compressionType);
  const l1 = new L1Table(file, header, offsetInEntry);
  const writing = isForWriting(options)
    ? writingOf({ ...opened, l1, size, punches: true })
    : undefined;
  const places = new Places(file, related, { clusterBytes, compression, encryption });
  const Clusters = header.extendedL2 ? ExtendedClusters : StandardClusters;
  return new QcowImage({
    size,
    clusterBytes,
    tableCoversBytes: clusterBytes ** 2 / 2 ** header.l2EntryBits,
    warnings: [...options.warnings, ...(header.corrupt ? [CORRUPT] : [])],
    l1,
    writing,
    slices,
    places,
    clusters: new Clusters(header, slices, places),
    ...(writing === undefined && options.snapshot === undefined
      ? { refreshSize: () => refreshSize({ file, header, size, l1, slices }) }
      : {}),
    encryption,
    // What is written to here may have its counts elsewhere by now.
    isPreallocated: () =>
      encryption === undefined && isPreallocated(file, writing ? readHeader(file) : header),
  });
}

/**
 * @throws {ImageFormatError} if the image cannot be changed as it is
 */
function writingOf(parts: WritingParts): QcowWriting {
  const { file, header } = parts;
  const { path } = file;
  if (header.corrupt) throw damaged(path, `${CORRUPT}: it cannot be written to`);
  try {
    refuseCutOff(file, header);
    return new QcowWriting(parts);
  } catch (error) {
    if (!(error instanceof ImageFormatError)) throw error;
    throw damaged(
      path,
      `${error.message}: it cannot be written to (${CHECKABLE}, ${READABLE})`,
      error.hostOffset,
    );
  }
}

/**
 * The header, for the snapshot that is wanted or for the active disk.
 *
 * @throws {ImageFormatError} if the image is damaged or marked as corrupt, or has no such snapshot
 * @throws {UnsupportedFeatureError} as {@link readHeader}
 */
function chosenHeader(file: ImageFile, { force, snapshot }: OpenOptions): Header {
  const header = readHeader(file);
  if (header.corrupt && !force) {
    throw damaged(file.path, `${CORRUPT} (${FORCIBLE}; ${REPAIRABLE})`);
  }
  return snapshot === undefined ? header : headerOfSnapshot(file, header, snapshot);
}
