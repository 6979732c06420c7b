/**
 * The images and files below an image: its backing file, that one's backing file, data files.
 *
 * @module
 */
import { cachesAtDepth } from "../image/cache_sizes.ts";
import type { FormatDriver, Image, OpenOptions, RelatedFiles, Spool } from "../image/driver.ts";
import { refuseHugeFile } from "../image/exact.ts";
import { AUTO_FORMAT, RAW } from "../image/formats.ts";
import type { Parent, RecordedPath } from "../image/identity.ts";
import type { BackingInfo, ImageInfo } from "../image/info.ts";
import type { ImageFile } from "../storage/image_file.ts";
import type { KeyRing } from "../image/key_ring.ts";
import { ChainFiles, type FileOptions, type Use } from "./chain_files.ts";
import { lookWith } from "./format_hints.ts";
import { driverOfParent, findParent, type ParentSearch } from "./parent_search.ts";
import { driverFor, versionOf } from "./probe.ts";
import { driversOfParent, recordedDriver } from "./recorded_format.ts";
import { explained } from "./related_error.ts";
import { findRecordedDriver } from "./registry.ts";
import { MAX_CHAIN_IMAGES } from "./runs.ts";
import { parseRelatedName } from "./related_name.ts";
import { windowEnd } from "./window.ts";

/** Metadata that all images of a chain may keep in memory: the table of one can have 32 MiB. */
const MAX_METADATA_BYTES = 128 * 1024 * 1024;
/** In a thread after the first one, which can do without that. */
const MAX_METADATA_BYTES_AGAIN = 8 * 1024 * 1024;

/** What is known of opening the images of a chain. */
export interface ChainOptions extends FileOptions {
  readonly keys?: KeyRing;
  /** As {@link OpenOptions.mapOnly}. */
  readonly mapOnly?: boolean;
}

/** An image of a chain. */
export interface Layer {
  readonly file: ImageFile;
  readonly driver: FormatDriver;
}

/** Opens what the images of one chain name, and owns it. */
export class Chain implements RelatedFiles, Disposable {
  /** The images, from the top one down. */
  readonly layers: Layer[];
  /** The open images below the top one. */
  readonly images: Image[] = [];
  readonly #files: ChainFiles;
  #metadataBytes = 0;
  readonly #options: ChainOptions;
  /** How many images have been found by their identity. */
  #parents = 0;

  /** @param top stays the caller's */
  constructor(top: Layer, options: ChainOptions) {
    this.#files = new ChainFiles(top.file, options);
    this.layers = [top];
    this.#options = options;
  }

  /** Every open file, that of the top image first, in the order of opening. */
  get files(): readonly ImageFile[] {
    return this.#files.all;
  }

  /** What the user had better know of the images below the top one. */
  get warnings(): readonly string[] {
    return this.#files.warnings;
  }

  /** How the images are to be opened; the snapshot is one of the top image. */
  get openOptions(): OpenOptions {
    const { request, keys, mapOnly } = this.#options;
    const { force } = request;
    return {
      readOnly: true,
      related: this,
      ...(force === undefined ? {} : { force }),
      metadataCacheBytes: cachesAtDepth(this.layers.length - 1, request).metadataCacheBytes,
      ...(keys === undefined ? {} : { keys }),
      ...(mapOnly === undefined ? {} : { mapOnly }),
    };
  }

  openBacking(by: ImageFile, name: string, format: string | undefined): Image | undefined {
    return this.#below(by, { name, format }, (layer) => this.#openImage(layer));
  }

  openParent(by: ImageFile, parent: Parent): Image | undefined {
    return this.#belowByIdentity(by, parent, (layer) => this.#openImage(layer));
  }

  /**
   * The file below `by`, which says so, and its driver, without looking into it; undefined if there is none.
   *
   * @throws as {@link Chain.openBacking}
   */
  openLayer(
    by: ImageFile,
    { backing, parent }: Pick<ImageInfo, "backing" | "parent">,
    use: Use = "read",
  ): Layer | undefined {
    const take = (layer: Layer): Layer => {
      this.layers.push(layer);
      return layer;
    };
    if (parent !== undefined) return this.#belowByIdentity(by, parent, take);
    return backing && this.#below(by, { ...backing, use }, take);
  }

  /** @throws {Error} if the user has named more images than there are */
  refuseUnusedParents(): void {
    const { parents = [], noBacking } = this.#options.request;
    const [unused] = parents.slice(this.#parents);
    if (unused === undefined || noBacking || this.#files.isReplayed) return;
    throw new Error(`nothing lies on ${unused}, which --parent names`);
  }

  #below<T>(
    by: ImageFile,
    { name, format, use = "read" }: BackingInfo & { readonly use?: Use },
    take: (layer: Layer) => T,
  ): T | undefined {
    if (this.#options.request.noBacking) return undefined;
    const role = "backing file";
    const related = explained({ shown: name, role, by }, () => parseRelatedName(name));
    const { backingFormat: otherwise } = this.#options.request;
    return explained({ shown: this.#files.pathOf(related, by), role, by }, () => {
      const driver = recordedDriver({ recorded: format, named: related.format, otherwise });
      this.#refuseDepth();
      const file = this.#files.open(related, by, use);
      const layerDriver = driver === undefined
        ? driverFor(AUTO_FORMAT, file)
        : versionOf(driver, file);
      return take({ file, driver: layerDriver });
    });
  }

  #refuseDepth(): void {
    if (this.layers.length < MAX_CHAIN_IMAGES) return;
    throw new RangeError(`more than ${MAX_CHAIN_IMAGES} images below each other`);
  }

  #belowByIdentity<T>(by: ImageFile, parent: Parent, take: (layer: Layer) => T): T | undefined {
    if (this.#options.request.noBacking) return undefined;
    const role = "parent";
    const drivers = driversOfParent(parent);
    const file = explained({ shown: shownParent(parent), role, by }, () => {
      this.#refuseDepth();
      return this.#files.openFound(() => this.#findParent(by, parent, drivers));
    });
    const driver = driverOfParent(file, drivers) ?? drivers[0];
    return explained({ shown: file.path, role, by }, () => take({ file, driver }));
  }

  #findParent(by: ImageFile, parent: Parent, drivers: ParentSearch["drivers"]): ImageFile {
    const { parents = [], force = false } = this.#options.request;
    const { file, fault } = findParent({
      parent,
      drivers,
      folder: this.#files.folderOf(by),
      named: parents[this.#parents++],
      force,
      open: (place) => this.#files.openPlace(place, by, "read", parents),
      isExcluded: (other) => this.files.some((known) => known.isSameAs(other)),
    });
    if (fault !== undefined) this.#files.warnings.push(fault);
    return file;
  }

  #openImage(layer: Layer): Image {
    this.layers.push(layer);
    const { driver, file } = layer;
    refuseHugeFile(file, driver.name);
    const image = lookWith(layer, () => driver.open(file, this.openOptions));
    this.images.push(image);
    this.#files.warnings.push(
      ...(image.warnings ?? []).map((text) => `${layer.file.path}: ${text}`),
    );
    return image;
  }

  openDataFile(by: ImageFile, name: string, wanted: { readonly readOnly: boolean }): ImageFile {
    const role = "data file";
    const related = explained({ shown: name, role, by }, () => parseRelatedName(name));
    return explained({ shown: this.#files.pathOf(related, by), role, by }, () => {
      if (findRecordedDriver(related.format ?? RAW.name)?.name !== RAW.name) {
        throw new RangeError(`the format '${related.format}' is not possible there`);
      }
      const file = this.#files.open(related, by, wanted.readOnly ? "read" : "write");
      refuseHugeFile(file, RAW.name);
      return file;
    });
  }

  openPiece(
    by: ImageFile,
    names: readonly RecordedPath[],
    { readOnly }: { readonly readOnly: boolean },
  ): ImageFile {
    return explained({ shown: names[0]?.path ?? "", role: "piece", by }, () => {
      const file = this.#files.openPiece(by, names, readOnly ? "read" : "write");
      refuseHugeFile(file, RAW.name);
      return file;
    });
  }

  openPiecesIn(
    by: ImageFile,
    folder: string,
    isPiece: (name: string) => boolean,
  ): readonly ImageFile[] {
    const path = this.#files.folderIn(by, folder);
    const open = (): ImageFile[] => this.#files.openPiecesIn(by, path, isPiece);
    return explained({ shown: path, role: "pieces", by }, open);
  }

  openSpool(by: ImageFile): Spool {
    const limitBytes = by === this.files[0] ? windowEnd(this.#options.request) : undefined;
    return { file: this.#files.openSpool(by), limitBytes };
  }

  reserveMemory(lengthBytes: number): void {
    this.#metadataBytes += lengthBytes;
    const isFurtherThread = this.#files.isReplayed && this.#options.isInherited !== true;
    const limit = isFurtherThread ? MAX_METADATA_BYTES_AGAIN : MAX_METADATA_BYTES;
    if (this.#metadataBytes <= limit) return;
    throw new RangeError(
      `the metadata of all images would take more than ${limit} bytes of memory`,
    );
  }

  /** Closes everything but the top image and its file. */
  [Symbol.dispose](): void {
    for (const image of this.images) image[Symbol.dispose]();
    this.#files[Symbol.dispose]();
  }
}

/** What a parent is called as long as no file is known. */
function shownParent({ identity: { id, contentId }, names }: Parent): string {
  return id ?? names[0]?.path ?? contentId ?? "";
}
