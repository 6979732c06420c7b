/**
 * Opening an image, and the one below it. Once it is open, it is like one of QCOW: the same two levels of
 * tables, with other entries.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import { CompressionMethod } from "../../image/decoding.ts";
import type { Image, OpenOptions } from "../../image/driver.ts";
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { QED } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { DiskSize } from "../qcow/disk_size.ts";
import { QcowImage } from "../qcow/image.ts";
import { L1Table } from "../qcow/l1.ts";
import { L2Slices } from "../qcow/l2.ts";
import { Places } from "../qcow/places.ts";
import { readyForWriting } from "./check/check.ts";
import { QedClusters } from "./clusters.ts";
import { coveredBytes, type Header, readHeader } from "./header.ts";
import { TABLE_ENTRY_BITS, TABLE_ENTRY_BYTES } from "./layout.ts";
import { entryAt } from "./table_entries.ts";
import { obstacleIn, writingOf } from "./writing.ts";

/**
 * @throws {ImageFormatError} if the header is damaged
 * @throws {UnsupportedFeatureError} if it needs what is not supported, or the image below cannot be opened
 * @throws as {@link RelatedFiles}
 */
export function openQed(file: ImageFile, options: OpenOptions): Image {
  const warnings = options.readOnly || options.isRevived ? [] : readied(file);
  const header = readHeader(file);
  const { clusterBytes } = header;
  options.related?.reserveMemory(header.l1Entries * TABLE_ENTRY_BYTES);
  const { metadataCacheBytes = DEFAULT_CACHES.metadataCacheBytes } = options;
  const layout = {
    ...header,
    format: QED.name,
    l2EntryBits: TABLE_ENTRY_BITS,
    tableAlignmentBytes: clusterBytes,
  };
  const slices = new L2Slices(file, layout, metadataCacheBytes);
  const backing = openBacking(file, header, options);
  const places = new Places(file, backing === undefined ? {} : { backing }, {
    clusterBytes,
    compression: CompressionMethod.Deflate,
    encryption: undefined,
  });
  const l1 = new L1Table(file, header, entryAt);
  const hasBacking = backing !== undefined;
  return new QcowImage({
    size: new DiskSize(header.sizeBytes),
    clusterBytes,
    tableCoversBytes: coveredBytes(header),
    warnings,
    l1,
    writing: options.readOnly ? undefined : writingOf({ file, header, l1, slices, hasBacking }),
    slices,
    places,
    clusters: new QedClusters({ file, header, slices, places }),
    encryption: undefined,
    isPreallocated: () => false,
  });
}

/** Has an image be fit to be written to; returns what there is to be said of that. */
function readied(file: ImageFile): string[] {
  const header = readHeader(file);
  const obstacle = obstacleIn(header);
  if (obstacle !== undefined) {
    const feature = `${obstacle}, when they are written to,`;
    throw new UnsupportedFeatureError(QED.name, file.path, feature);
  }
  return readyForWriting(file, header);
}

function openBacking(
  file: ImageFile,
  { backing }: Header,
  { related }: OpenOptions,
): Image | undefined {
  if (backing === undefined) return undefined;
  if (related !== undefined) return related.openBacking(file, backing.name, backing.format);
  throw new UnsupportedFeatureError(QED.name, file.path, "a backing file");
}
