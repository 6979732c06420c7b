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
import { SpoolFile } from "../storage/spool_file.ts";
import type { KeyRing } from "../image/key_ring.ts";
import { lookWith } from "./format_hints.ts";
import { lockImage, WITHOUT_LOCKS } from "./lock.ts";
import { openSpoolFile } from "./open_spool.ts";
import { folderOf } from "../sys/paths.ts";
import type { ImageRequest } from "./request.ts";
import {
  driverOfParent,
  findParent,
  type FoundParent,
  type ParentSearch,
} from "./parent_search.ts";
import { type NamedPlace, openFirst, placesOfPiece } from "./parent_places.ts";
import { openNamedFile } from "./permission.ts";
import { pathIn, piecesIn, takePiecesIn } from "./piece_folder.ts";
import { driverFor, versionOf } from "./probe.ts";
import { explained } from "./related_error.ts";
import { findDriver, findRecordedDriver } from "./registry.ts";
import { MAX_CHAIN_IMAGES } from "./runs.ts";
import { parseRelatedName, type RelatedName } from "./related_name.ts";
import { windowEnd } from "./window.ts";

/** Metadata that all images of a chain may keep in memory: the table of one can have 32 MiB. */
const MAX_METADATA_BYTES = 128 * 1024 * 1024;
/** In a thread after the first one, which can do without that. */
const MAX_METADATA_BYTES_AGAIN = 8 * 1024 * 1024;

/** What is known of opening the images of a chain. */
export interface ChainOptions {
  readonly request: ImageRequest;
  readonly keys?: KeyRing;
  /** As {@link OpenOptions.mapOnly}. */
  readonly mapOnly?: boolean;
  /** Whether nobody else's use of the files matters. */
  readonly ignoreLocks?: boolean;
  /** The files below the top image, open already, in the order in which they are asked for. */
  readonly replay?: readonly ImageFile[];
}

type Use = "read" | "write";

/** A file that is to be opened: who names it, how, and what for. */
interface Wanted {
  readonly related: RelatedName;
  readonly by: ImageFile;
  readonly use: Use;
}

/** An image of a chain. */
export interface Layer {
  readonly file: ImageFile;
  readonly driver: FormatDriver;
}

/** Opens what the images of one chain name, and owns it. */
export class Chain implements RelatedFiles, Disposable {
  /** Every open file, that of the top image first, in the order of opening. */
  readonly files: ImageFile[];
  /** The images, from the top one down. */
  readonly layers: Layer[];
  /** The open images below the top one. */
  readonly images: Image[] = [];
  /** What the user had better know of the images below the top one. */
  readonly warnings: string[] = [];
  /** Of all of them. */
  readonly #identities: Set<string>;
  #metadataBytes = 0;
  readonly #options: ChainOptions;
  readonly #replay: ImageFile[] | undefined;
  /** How many images have been found by their identity. */
  #parents = 0;

  /** @param top stays the caller's */
  constructor(top: Layer, options: ChainOptions) {
    this.files = [top.file];
    this.#identities = new Set([top.file.identity]);
    this.layers = [top];
    this.#options = options;
    this.#replay = options.replay?.slice();
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
    if (unused === undefined || noBacking || this.#replay !== undefined) return;
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
    const path = this.#pathOf(related, by);
    return explained({ shown: path, role, by }, () => {
      const driver = this.#recordedDriver(agreed(format, related.format));
      this.#refuseDepth();
      const file = this.#open(path, related, by, use);
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
    const { format, otherFormats = [] } = parent;
    const others = otherFormats.map((name) => known(findDriver(name), name));
    const drivers = [known(findDriver(format), format), ...others] as const;
    const file = explained({ shown: shownParent(parent), role, by }, () => {
      this.#refuseDepth();
      return this.#keep(this.#findParent(by, parent, drivers), "read");
    });
    const driver = driverOfParent(file, drivers) ?? drivers[0];
    return explained({ shown: file.path, role, by }, () => take({ file, driver }));
  }

  #findParent(by: ImageFile, parent: Parent, drivers: ParentSearch["drivers"]): ImageFile {
    const again = this.#replay?.shift();
    if (again !== undefined) return again;
    const { allowBacking = [], parents = [], force = false } = this.#options.request;
    const allowed = [...allowBacking, ...parents];
    const { file, fault }: FoundParent = findParent({
      parent,
      drivers,
      folder: this.#folderOf(by),
      named: parents[this.#parents++],
      force,
      open: ({ path, folder }) => openNamedFile(path, { by, folder, allowed }),
      isExcluded: (other) => this.files.some((known) => known.isSameAs(other)),
    });
    if (fault !== undefined) this.warnings.push(fault);
    return file;
  }

  #openImage(layer: Layer): Image {
    this.layers.push(layer);
    const { driver, file } = layer;
    refuseHugeFile(file, driver.name);
    const image = lookWith(layer, () => driver.open(file, this.openOptions));
    this.images.push(image);
    this.warnings.push(...(image.warnings ?? []).map((text) => `${layer.file.path}: ${text}`));
    return image;
  }

  openDataFile(by: ImageFile, name: string, wanted: { readonly readOnly: boolean }): ImageFile {
    const role = "data file";
    const related = explained({ shown: name, role, by }, () => parseRelatedName(name));
    const path = this.#pathOf(related, by);
    return explained({ shown: path, role, by }, () => {
      if (findRecordedDriver(related.format ?? RAW.name)?.name !== RAW.name) {
        throw new RangeError(`the format '${related.format}' is not possible there`);
      }
      const file = this.#open(path, related, by, wanted.readOnly ? "read" : "write");
      refuseHugeFile(file, RAW.name);
      return file;
    });
  }

  openPiece(
    by: ImageFile,
    names: readonly RecordedPath[],
    { readOnly }: { readonly readOnly: boolean },
  ): ImageFile {
    const use = readOnly ? "read" : "write";
    return explained({ shown: names[0]?.path ?? "", role: "piece", by }, () => {
      const file = this.#keep(this.#replay?.shift() ?? this.#findPiece(by, names, use), use);
      refuseHugeFile(file, RAW.name);
      return file;
    });
  }

  #findPiece(by: ImageFile, names: readonly RecordedPath[], use: Use): ImageFile {
    const { allowBacking: allowed = [] } = this.#options.request;
    const isWritten = use === "write";
    return openFirst(
      placesOfPiece(names, this.#folderOf(by)),
      ({ path, folder }) => openNamedFile(path, { by, folder, allowed, isWritten }),
    );
  }

  openPiecesIn(
    by: ImageFile,
    folder: string,
    isPiece: (name: string) => boolean,
  ): readonly ImageFile[] {
    const path = pathIn(this.#folderOf(by), folder);
    return explained({ shown: path, role: "pieces", by }, () => {
      const files = this.#replay === undefined
        ? piecesIn(path, isPiece, (place) => this.#openPlace(place, by))
        : takePiecesIn(path, this.#replay, isPiece);
      using rest = new DisposableStack();
      for (const file of files) rest.use(file);
      for (const file of files) this.#keep(file, "read");
      rest.move();
      return files;
    });
  }

  #openPlace({ path, folder }: NamedPlace, by: ImageFile): ImageFile {
    const { allowBacking: allowed = [] } = this.#options.request;
    return openNamedFile(path, { by, folder, allowed });
  }

  openSpool(by: ImageFile): Spool {
    const { request } = this.#options;
    const again = this.#replay?.shift();
    const file = again instanceof SpoolFile ? again : openSpoolFile(by, request);
    this.files.push(file);
    const isTop = by === this.files[0];
    return { file, limitBytes: isTop ? windowEnd(request) : undefined };
  }

  reserveMemory(lengthBytes: number): void {
    this.#metadataBytes += lengthBytes;
    const limit = this.#replay === undefined ? MAX_METADATA_BYTES : MAX_METADATA_BYTES_AGAIN;
    if (this.#metadataBytes <= limit) return;
    throw new RangeError(
      `the metadata of all images would take more than ${limit} bytes of memory`,
    );
  }

  #open(path: string, related: RelatedName, by: ImageFile, use: Use = "read"): ImageFile {
    const isNew = this.#replay === undefined;
    return this.#keep(
      isNew ? this.#openAnew(path, { related, by, use }) : this.#openAgain(path),
      use,
    );
  }

  /** Has a file belong to the chain; it is closed if it cannot. */
  #keep(file: ImageFile, use: Use): ImageFile {
    try {
      this.#refuseLoop(file);
      const locks = this.#replay === undefined && !this.#options.ignoreLocks;
      if (locks && !lockImage(file, use)) this.warnings.push(`${file.path}: ${WITHOUT_LOCKS}`);
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
    this.files.push(file);
    return file;
  }

  /** A file that turns up twice is a loop: no image can have any use for that. */
  #refuseLoop({ identity }: ImageFile): void {
    if (!this.#identities.has(identity)) {
      this.#identities.add(identity);
      return;
    }
    throw new RangeError("the chain of images is a loop");
  }

  #openAnew(path: string, { related, by, use }: Wanted): ImageFile {
    const folder = related.path.startsWith("/") ? undefined : this.#folderOf(by);
    const allowed = this.#options.request.allowBacking ?? [];
    return openNamedFile(path, { by, folder, allowed, isWritten: use === "write" });
  }

  #openAgain(path: string): ImageFile {
    const file = this.#replay?.shift();
    if (file?.path !== path) throw new Error("the chain of images has changed meanwhile");
    return file;
  }

  #pathOf(related: RelatedName, by: ImageFile): string {
    if (related.path.startsWith("/")) return related.path;
    const folder = this.#folderOf(by);
    return `${folder === "/" ? "" : folder}/${related.path}`;
  }

  /** Links are not followed first, as in qemu: a relative name starts where its image was named. */
  #folderOf(by: ImageFile): string {
    const { namesFolder } = this.#options.request;
    if (by === this.files[0] && namesFolder !== undefined) return namesFolder;
    return folderOf(by.path);
  }

  /** @returns undefined if the user wants the content to decide */
  #recordedDriver(recorded: string | undefined): FormatDriver | undefined {
    if (recorded !== undefined) return known(findRecordedDriver(recorded), recorded);
    const { backingFormat } = this.#options.request;
    if (backingFormat === undefined) {
      throw new Error("its format is not recorded; --backing-fmt <format> says what it is");
    }
    return backingFormat === AUTO_FORMAT
      ? undefined
      : known(findDriver(backingFormat), backingFormat);
  }

  /** Closes everything but the top image and its file. */
  [Symbol.dispose](): void {
    for (const image of this.images) image[Symbol.dispose]();
    for (const file of this.files.slice(1)) file[Symbol.dispose]();
  }
}

function known(driver: FormatDriver | undefined, name: string): FormatDriver {
  if (driver === undefined) throw new RangeError(`${name} images are not supported`);
  return driver;
}

/** The format, which can be recorded beside the name and in it. */
function agreed(recorded: string | undefined, named: string | undefined): string | undefined {
  const contradicts = recorded !== undefined && named !== undefined &&
    findRecordedDriver(recorded) !== findRecordedDriver(named);
  if (!contradicts) return recorded ?? named;
  throw new RangeError(`its format is recorded as '${recorded}', but its name says '${named}'`);
}

/** What a parent is called as long as no file is known. */
function shownParent({ identity: { id, contentId }, names }: Parent): string {
  return id ?? names[0]?.path ?? contentId ?? "";
}
