/**
 * Opening an image: all its segments.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../image/cache_sizes.ts";
import type { Image, OpenOptions } from "../../image/driver.ts";
import { UnsupportedFeatureError } from "../../image/errors.ts";
import { EWF } from "../../image/formats.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { baseName } from "../../sys/paths.ts";
import { damaged } from "./errors.ts";
import { EwfImage } from "./image.ts";
import { sectionsOf, segmentNumber } from "./sections.ts";
import { MAX_SEGMENTS, segmentName } from "./segment_names.ts";
import { TableList } from "./tables.ts";
import { isVolume, readVolume, type Volume } from "./volume.ts";

/**
 * @throws {ImageFormatError} if a segment is damaged, or one of another image
 * @throws {UnsupportedFeatureError} if it is of another version
 * @throws {RelatedFileError} if a segment is missing
 */
export function openEwf(file: ImageFile, options: OpenOptions): Image {
  const list = new TableList(options.related);
  let volume: Volume | undefined;
  let segment: ImageFile | undefined = file;
  for (let number = 1; segment !== undefined; number++) {
    const read = readSegment(segment, number, { list, volume });
    volume = read.volume;
    segment = read.isLast ? undefined : openNext(file, number + 1, options);
  }
  if (volume === undefined) throw damaged(file, "the image does not say how large its disk is");
  if (list.chunks < Math.ceil(volume.sizeBytes / volume.chunkBytes)) {
    throw damaged(file, "the tables do not tell of all chunks");
  }
  const { metadataCacheBytes: cacheBytes = DEFAULT_CACHES.metadataCacheBytes } = options;
  return new EwfImage({ volume, tables: list.tables, cacheBytes });
}

interface Found {
  readonly list: TableList;
  /** What the segments before it have said. */
  readonly volume: Volume | undefined;
}

function readSegment(
  file: ImageFile,
  number: number,
  { list, volume: known }: Found,
): { readonly isLast: boolean; readonly volume: Volume | undefined } {
  const own = segmentNumber(file);
  if (own !== number) {
    const wanted = number === 1 ? "name the first one, .E01" : `${number} was looked for`;
    throw damaged(file, `this is segment ${own} of an image: ${wanted}`);
  }
  let volume = known;
  let isLast = false;
  for (const section of sectionsOf(file)) {
    list.take(file, section);
    isLast = section.type === "done";
    if (!isVolume(section)) continue;
    const said = readVolume(file, section);
    if (volume !== undefined && said.setId !== volume.setId) {
      throw damaged(
        file,
        `this is a segment of another image (${said.setId}, not ${volume.setId})`,
      );
    }
    volume ??= said;
  }
  return { isLast, volume };
}

/** The segment with a number; throws as {@link openEwf}. */
export function openNext(
  first: ImageFile,
  number: number,
  { related }: Pick<OpenOptions, "related">,
): ImageFile {
  const name = segmentName(baseName(first.path), number);
  if (name === undefined || number > MAX_SEGMENTS) {
    throw damaged(first, "it goes on in a further segment, but is not called .E01");
  }
  if (related === undefined) {
    throw new UnsupportedFeatureError(EWF.name, first.path, "several segments");
  }
  return related.openPiece(first, [{ kind: "plain", path: name }], { readOnly: true });
}
