/**
 * Opening an image, and the one below it.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import type { Image, MemoryLimit, OpenOptions } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { unsupported } from "./errors.ts";
import { type Header, readHeader } from "./header.ts";
import { VhdxImage } from "./image.ts";
import { activeEntries } from "./log/active.ts";
import { Replay } from "./log/replay.ts";
import { ReplayedFile } from "./log/replayed_file.ts";
import { type Metadata, readMetadata } from "./metadata.ts";
import { parentOf } from "./parent.ts";
import { readRegions, type Regions } from "./regions.ts";
import { shapeOf } from "./shape.ts";
import { applyLog } from "./write/apply_log.ts";
import { usedMapBytes } from "./write/file_space.ts";

/**
 * @throws {ImageFormatError} if the metadata are damaged
 * @throws {UnsupportedFeatureError} if it needs what is not supported, or the image below cannot be opened
 * @throws as {@link RelatedFiles}
 */
export function openVhdx(file: ImageFile, options: OpenOptions): Image {
  const { readOnly, mapOnly = false, related } = options;
  if (!readOnly && !mapOnly) return imageOf(written(file, related), options);
  const source = sourceOf(file, related);
  try {
    return imageOf(source, options);
  } catch (error) {
    source.replay?.[Symbol.dispose]();
    throw error;
  }
}

/** What an image is read from, and what it says of itself. */
export interface Source {
  readonly file: ImageFile;
  readonly header: Header;
  /** What the log has, unless that is empty. */
  readonly replay: Replay | undefined;
  /** The file as it is once the log has been replayed. */
  readonly metadataFile: ImageFile;
}

/**
 * Reads the headers, and what the log has, which nothing can be read without.
 *
 * @throws as {@link readHeader} and {@link activeEntries}
 */
export function sourceOf(file: ImageFile, memory?: MemoryLimit): Source {
  const header = readHeader(file);
  const entries = activeEntries(file, header, memory);
  if (entries.length === 0) return { file, header, replay: undefined, metadataFile: file };
  const replay = new Replay(file, entries, memory);
  return { file, header, replay, metadataFile: new ReplayedFile(file, replay) };
}

/** As {@link sourceOf}, for writing: what the log has is put into its place, in the file. */
function written(file: ImageFile, memory: MemoryLimit | undefined): Source {
  const header = readHeader(file);
  if (header.hasLog) applyLog(file, header, activeEntries(file, header, memory));
  memory?.reserveMemory(usedMapBytes(file));
  return { file, header: readHeader(file), replay: undefined, metadataFile: file };
}

/** What the regions and the metadata in them say; throws as the functions that read them. */
export function descriptionOf(
  { metadataFile }: Source,
): { readonly regions: Regions; readonly metadata: Metadata } {
  const regions = readRegions(metadataFile);
  return { regions, metadata: readMetadata(metadataFile, regions.metadata) };
}

function imageOf(source: Source, options: OpenOptions): Image {
  const { file, header, metadataFile, replay } = source;
  const { regions, metadata } = descriptionOf(source);
  const shape = shapeOf(metadataFile, regions, metadata);
  const { metadataCacheBytes: cacheBytes = DEFAULT_CACHES.metadataCacheBytes } = options;
  return new VhdxImage({
    file,
    metadataFile,
    replay,
    sizeBytes: metadata.sizeBytes,
    shape,
    header,
    regions,
    readOnly: options.readOnly || options.mapOnly === true,
    isFixed: metadata.isFixed,
    backing: openParent(file, metadata, options),
    cacheBytes,
  });
}

function openParent(
  file: ImageFile,
  metadata: Metadata,
  { related }: OpenOptions,
): Image | undefined {
  const parent = parentOf(file, metadata);
  if (parent === undefined) return undefined;
  if (related !== undefined) return related.openParent(file, parent);
  throw unsupported(file.path, "a parent");
}
