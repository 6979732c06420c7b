/**
 * Opening a disk that is a folder: the files that its descriptor names.
 *
 * @module
 */
import { DEFAULT_CACHES } from "../../../image/cache_sizes.ts";
import type { Image, OpenOptions, RelatedFiles } from "../../../image/driver.ts";
import { ImageFormatError, UnsupportedFeatureError } from "../../../image/errors.ts";
import { PARALLELS } from "../../../image/formats.ts";
import type { RecordedPath } from "../../../image/identity.ts";
import type { MappedDisk } from "../../../image/mapping.ts";
import type { Writing } from "../../../image/writing.ts";
import type { ImageFile } from "../../../storage/image_file.ts";
import { FilePart } from "../../kit/parts.ts";
import { PartsWriting } from "../../kit/parts_writing.ts";
import { PlainWriting } from "../../kit/plain_writing.ts";
import { openExpanding } from "../open_expanding.ts";
import { obstacleInBundle } from "../write/obstacle.ts";
import { BundleImage } from "./image.ts";
import { readDescriptor, type Storage, type StorageImage } from "./descriptor.ts";

/**
 * @throws {ImageFormatError} if the descriptor is damaged, or what it names is something else
 * @throws {UnsupportedFeatureError} if it needs what is not supported
 * @throws as {@link RelatedFiles}
 */
export function openBundle(file: ImageFile, options: OpenOptions): Image {
  const descriptor = readDescriptor(file);
  const { storages, sectorBytes } = descriptor;
  const { related, readOnly } = options;
  const refuse = (feature: string): never => {
    throw new UnsupportedFeatureError(PARALLELS.name, file.path, feature);
  };
  if (related === undefined) return refuse("a descriptor");
  const obstacle = readOnly ? undefined : obstacleInBundle(descriptor);
  if (obstacle !== undefined) refuse(`${obstacle}, when they are written to,`);
  const count = storages.reduce((sum, { images }) => sum + images.length, 0);
  const { metadataCacheBytes = DEFAULT_CACHES.metadataCacheBytes } = options;
  const opener = new StorageOpener(file, {
    ...options,
    related,
    metadataCacheBytes: metadataCacheBytes / count,
  });
  const parts = storages.map((storage) => opener.open(storage));
  return new BundleImage({
    parts: parts.map(({ disk }) => disk),
    images: parts.flatMap(({ images }) => images),
    sectorBytes,
    writing: writingOf(file, parts),
  });
}

/** @throws {UnsupportedFeatureError} if the parts are so different that they cannot be written to as one disk */
function writingOf({ path }: ImageFile, parts: readonly OpenStorage[]): Writing | undefined {
  const [only, ...more] = parts;
  if (more.length === 0) return only?.writing;
  const writable = parts.flatMap(({ disk: { sizeBytes }, writing }) =>
    writing === undefined ? [] : { sizeBytes, writing }
  );
  if (writable.length < parts.length) return undefined;
  try {
    return new PartsWriting(writable, []);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const feature = "parts with clusters of different sizes, when they are written to,";
    throw new UnsupportedFeatureError(PARALLELS.name, path, feature);
  }
}

/** A part that is open. */
interface OpenStorage {
  readonly disk: MappedDisk;
  /** All images in it that have tables. */
  readonly images: readonly Image[];
  readonly writing: Writing | undefined;
}

interface OpenerOptions extends OpenOptions {
  readonly related: RelatedFiles;
}

class StorageOpener {
  readonly #by: ImageFile;
  readonly #options: OpenerOptions;

  constructor(by: ImageFile, options: OpenerOptions) {
    this.#by = by;
    this.#options = options;
  }

  /** From the lowest image up: each shows what the one below it has. */
  open({ sizeBytes, images }: Storage): OpenStorage {
    const opened: Image[] = [];
    let part: Pick<OpenStorage, "disk" | "writing"> | undefined;
    for (const [depth, image] of [...images.entries()].reverse()) {
      const readOnly = depth > 0 || this.#options.readOnly;
      if (image.type === "Plain") {
        if (part !== undefined) throw this.#damaged(image, "a plain file lies over another image");
        part = this.#openPlain(image, { sizeBytes, readOnly });
        continue;
      }
      const file = this.#fileOf(image, readOnly);
      const disk = openExpanding(file, { ...this.#options, readOnly }, part?.disk);
      if (depth === 0 && disk.sizeBytes !== sizeBytes) {
        throw this.#damaged(image, `it has ${disk.sizeBytes} bytes, not ${sizeBytes}`);
      }
      opened.push(disk);
      part = { disk, writing: disk.writing };
    }
    if (part === undefined) throw new Error("a part without images");
    return { ...part, images: opened };
  }

  #openPlain(
    image: StorageImage,
    { sizeBytes, readOnly }: { readonly sizeBytes: number; readonly readOnly: boolean },
  ): Pick<OpenStorage, "disk" | "writing"> {
    const file = this.#fileOf(image, readOnly);
    const missing = sizeBytes - file.sizeBytes;
    if (missing > 0 && this.#options.force !== true) {
      const message = `the last ${missing} of its ${sizeBytes} bytes are not there`;
      throw this.#damaged(image, `${message} (--force shows zeros there)`);
    }
    const writing = readOnly ? undefined : new PlainWriting(file, 0, () => {});
    return { disk: new FilePart(file, 0, sizeBytes), writing };
  }

  #fileOf({ name }: StorageImage, readOnly: boolean): ImageFile {
    const plain: RecordedPath = { kind: "plain", path: name };
    const names: RecordedPath[] = name.includes("\\")
      ? [plain, { kind: "windows", path: name }]
      : [plain];
    return this.#options.related.openPiece(this.#by, names, { readOnly });
  }

  #damaged({ name }: StorageImage, message: string): ImageFormatError {
    return new ImageFormatError(PARALLELS.name, this.#by.path, `${name}: ${message}`);
  }
}
