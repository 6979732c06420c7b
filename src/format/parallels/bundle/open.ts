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
import type { ImageFile } from "../../../storage/image_file.ts";
import { FilePart } from "../../kit/parts.ts";
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
  const [first] = parts;
  return new BundleImage({
    parts: parts.map(({ disk }) => disk),
    images: parts.flatMap(({ images }) => images),
    sectorBytes,
    writing: first?.top?.writing,
  });
}

/** A part that is open. */
interface OpenStorage {
  readonly disk: MappedDisk;
  /** The active one, if it has tables. */
  readonly top: Image | undefined;
  readonly images: readonly Image[];
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
    let disk: MappedDisk | undefined;
    let top: Image | undefined;
    for (const [depth, image] of [...images.entries()].reverse()) {
      const readOnly = depth > 0 || this.#options.readOnly;
      if (image.type === "Plain") {
        if (disk !== undefined) throw this.#damaged(image, "a plain file lies over another image");
        disk = this.#openPlain(image, sizeBytes);
        continue;
      }
      const file = this.#fileOf(image, readOnly);
      top = openExpanding(file, { ...this.#options, readOnly }, disk);
      if (depth === 0 && top.sizeBytes !== sizeBytes) {
        throw this.#damaged(image, `it has ${top.sizeBytes} bytes, not ${sizeBytes}`);
      }
      opened.push(top);
      disk = top;
    }
    if (disk === undefined) throw new Error("a part without images");
    return { disk, top, images: opened };
  }

  #openPlain(image: StorageImage, sizeBytes: number): MappedDisk {
    const file = this.#fileOf(image, true);
    const missing = sizeBytes - file.sizeBytes;
    if (missing > 0 && this.#options.force !== true) {
      const message = `the last ${missing} of its ${sizeBytes} bytes are not there`;
      throw this.#damaged(image, `${message} (--force shows zeros there)`);
    }
    return new FilePart(file, 0, sizeBytes);
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
