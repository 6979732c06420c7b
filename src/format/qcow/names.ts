/**
 * The files an image names: its backing file and its external data file.
 *
 * @module
 */
import type { Image, OpenOptions } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import type { BackingInfo } from "../../image/info.ts";
import { textOf } from "../../sys/memory.ts";
import { damaged, unsupported } from "./errors.ts";
import { extensionText, type HeaderExtensions } from "./extensions.ts";
import type { Fields, FieldsV3, Header, RecordedNames, Source } from "./header_types.ts";
import { ExtensionType, Incompatible } from "./layout.ts";

/** @param described the source, and what its header extensions say */
export function recordedNames(
  fields: Fields,
  more: FieldsV3,
  { source, extensions }: { source: Source; extensions: HeaderExtensions },
): RecordedNames {
  return {
    backing: backingOf(fields, source, extensions),
    hasDataFile: (more.incompatible_features & Incompatible.externalDataFile) !== 0n,
    dataFileName: extensionText(extensions, ExtensionType.dataFile),
  };
}

/** An empty name counts as none, as in qemu; so does an empty format. */
export function backingOf(
  { backing_file_offset: offset, backing_file_size: lengthBytes }: Fields,
  { head }: Source,
  extensions: HeaderExtensions,
): BackingInfo | undefined {
  if (offset === 0n || lengthBytes === 0) return undefined;
  const name = textOf(head.bytes.subarray(Number(offset), Number(offset) + lengthBytes));
  if (name === "") return undefined;
  return { name, format: extensionText(extensions, ExtensionType.backingFormat) || undefined };
}

/** What is open besides the image itself. */
export interface RelatedPlaces {
  /** Where the clusters are, if not in the image's own file. */
  readonly dataFile?: ImageFile;
  /** What shows where nothing is allocated. */
  readonly backing?: Image;
}

/**
 * Opens what the image names.
 *
 * @throws {UnsupportedFeatureError} if it names something, and nothing can be opened here
 * @throws as {@link RelatedFiles}
 */
export function openRelated(file: ImageFile, header: Header, options: OpenOptions): RelatedPlaces {
  const dataFile = header.hasDataFile ? openDataFile(file, header, options) : undefined;
  const backing = openBacking(file, header, options);
  return {
    ...(dataFile === undefined ? {} : { dataFile }),
    ...(backing === undefined ? {} : { backing }),
  };
}

function openBacking(
  file: ImageFile,
  { backing }: Header,
  { related }: OpenOptions,
): Image | undefined {
  if (backing === undefined) return undefined;
  if (related === undefined) throw unsupported(file.path, "a backing file");
  return related.openBacking(file, backing.name, backing.format);
}

function openDataFile(
  file: ImageFile,
  { dataFileName }: Header,
  { related, readOnly }: OpenOptions,
): ImageFile {
  if (related === undefined) throw unsupported(file.path, "an external data file");
  if (dataFileName === undefined) {
    throw damaged(file.path, "the name of the external data file is not recorded");
  }
  return related.openDataFile(file, dataFileName, { readOnly });
}
