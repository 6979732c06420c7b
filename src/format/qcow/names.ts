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
import type { Extension } from "./extensions.ts";
import type { Fields, FieldsV3, Header, RecordedNames, Source } from "./header_types.ts";
import { ExtensionType, Incompatible } from "./layout.ts";

/** @param found the source's header extensions */
export function recordedNames(
  fields: Fields,
  more: FieldsV3,
  { source, found }: { source: Source; found: readonly Extension[] },
): RecordedNames {
  const texts = extensionTexts(found);
  return {
    backing: backingOf(fields, source, texts),
    hasDataFile: (more.incompatible_features & Incompatible.externalDataFile) !== 0n,
    dataFileName: texts.get(ExtensionType.dataFile),
  };
}

/** Extensions by type, taken as text. */
export function extensionTexts(extensions: Iterable<Extension>): ReadonlyMap<number, string> {
  return new Map([...extensions].map(({ type, data }) => [type, textOf(data)]));
}

/** An empty name counts as none, as in qemu; so does an empty format. */
export function backingOf(
  { backing_file_offset: offset, backing_file_size: lengthBytes }: Fields,
  { head }: Source,
  texts: ReadonlyMap<number, string>,
): BackingInfo | undefined {
  if (offset === 0n || lengthBytes === 0) return undefined;
  const name = textOf(head.bytes.subarray(Number(offset), Number(offset) + lengthBytes));
  if (name === "") return undefined;
  return { name, format: texts.get(ExtensionType.backingFormat) || undefined };
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
  { related }: OpenOptions,
): ImageFile {
  if (related === undefined) throw unsupported(file.path, "an external data file");
  if (dataFileName === undefined) {
    throw damaged(file.path, "the name of the external data file is not recorded");
  }
  return related.openDataFile(file, dataFileName, { readOnly: true });
}
