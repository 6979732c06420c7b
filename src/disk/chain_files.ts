/**
 * The files of a chain of images: opened as far as they may be, locked, each only once.
 *
 * Another thread opens the same images over files that are open already: these are asked for in the order
 * in which the first thread has opened them.
 *
 * @module
 */
import type { RecordedPath } from "../image/identity.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { SpoolFile } from "../storage/spool_file.ts";
import { folderOf } from "../sys/paths.ts";
import { lockImage, WITHOUT_LOCKS } from "./lock.ts";
import { openSpoolFile } from "./open_spool.ts";
import { type NamedPlace, openFirst, placesOfPiece } from "./parent_places.ts";
import { openNamedFile } from "./permission.ts";
import { pathIn, piecesIn, takePiecesIn } from "./piece_folder.ts";
import type { RelatedName } from "./related_name.ts";
import type { ImageRequest } from "./request.ts";

/** What is known of opening files. */
export interface FileOptions {
  readonly request: ImageRequest;
  /** Whether nobody else's use of the files matters. */
  readonly ignoreLocks?: boolean;
  /** The files below the top image, open already, in the order in which they are asked for. */
  readonly replay?: readonly ImageFile[];
  /** Whether these were opened by a process that is no more: this one is the first thread again. */
  readonly isInherited?: boolean;
}

/** What a file is opened for. */
export type Use = "read" | "write";

/** Opens files that images name, and owns all but the first one. */
export class ChainFiles implements Disposable {
  /** Every open file, that of the top image first, in the order of opening. */
  readonly all: ImageFile[];
  /** What the user had better know of them, and of the images in them. */
  readonly warnings: string[] = [];
  /** Of all of them. */
  readonly #identities: Set<string>;
  readonly #options: FileOptions;
  readonly #replay: ImageFile[] | undefined;

  /** @param top stays the caller's */
  constructor(top: ImageFile, options: FileOptions) {
    this.all = [top];
    this.#identities = new Set([top.identity]);
    this.#options = options;
    this.#replay = options.replay?.slice();
  }

  /** Whether they have been opened before, by another thread. */
  get isReplayed(): boolean {
    return this.#replay !== undefined;
  }

  /** Where a name leads that `by` records. */
  pathOf({ path }: RelatedName, by: ImageFile): string {
    if (path.startsWith("/")) return path;
    const folder = this.folderOf(by);
    return `${folder === "/" ? "" : folder}/${path}`;
  }

  /** Links are not followed first, as in qemu: a relative name starts where its image was named. */
  folderOf(by: ImageFile): string {
    const { namesFolder } = this.#options.request;
    if (by === this.all[0] && namesFolder !== undefined) return namesFolder;
    return folderOf(by.path);
  }

  /**
   * @throws {Error} if it may not be opened
   * @throws {RangeError} if it is one of the chain's already
   * @throws {SystemError} if it cannot be opened
   */
  open(related: RelatedName, by: ImageFile, use: Use): ImageFile {
    const path = this.pathOf(related, by);
    if (this.#replay !== undefined) return this.#keep(this.#again(path), use);
    const folder = related.path.startsWith("/") ? undefined : this.folderOf(by);
    return this.#keep(this.openPlace({ path, folder }, by, use), use);
  }

  /** The file that `find` finds, if it has not been opened before; throws as {@link ChainFiles.open}. */
  openFound(find: () => ImageFile): ImageFile {
    return this.#keep(this.#replay?.shift() ?? find(), "read");
  }

  /** The first of the files that a piece of `by` may be in; throws as {@link ChainFiles.open}. */
  openPiece(by: ImageFile, names: readonly RecordedPath[], use: Use): ImageFile {
    const find = (): ImageFile =>
      openFirst(placesOfPiece(names, this.folderOf(by)), (place) => this.openPlace(place, by, use));
    return this.#keep(this.#replay?.shift() ?? find(), use);
  }

  /** Those of a folder that are pieces of `by`; throws as {@link ChainFiles.open}. */
  openPiecesIn(by: ImageFile, path: string, isPiece: (name: string) => boolean): ImageFile[] {
    const files = this.#replay === undefined
      ? piecesIn(path, isPiece, (place) => this.openPlace(place, by, "read"))
      : takePiecesIn(path, this.#replay, isPiece);
    using rest = new DisposableStack();
    for (const file of files) rest.use(file);
    for (const file of files) this.#keep(file, "read");
    rest.move();
    return files;
  }

  /** Where the folder `name` of `by` lies. */
  folderIn(by: ImageFile, name: string): string {
    return pathIn(this.folderOf(by), name);
  }

  /** What takes the place of `by` once it is decompressed. */
  openSpool(by: ImageFile): SpoolFile {
    const again = this.#replay?.shift();
    const file = again instanceof SpoolFile ? again : openSpoolFile(by, this.#options.request);
    this.all.push(file);
    return file;
  }

  /**
   * A file that `by` may name; it is the caller's.
   *
   * @param named by the user, and so allowed
   * @throws as {@link ChainFiles.open}
   */
  openPlace(
    { path, folder }: NamedPlace,
    by: ImageFile,
    use: Use,
    named: readonly string[] = [],
  ): ImageFile {
    const { allowBacking = [] } = this.#options.request;
    const allowed = [...allowBacking, ...named];
    return openNamedFile(path, { by, folder, allowed, isWritten: use === "write" });
  }

  #again(path: string): ImageFile {
    const file = this.#replay?.shift();
    if (file?.path !== path) throw new Error("the chain of images has changed meanwhile");
    return file;
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
    this.all.push(file);
    return file;
  }

  /** A file that turns up twice is a loop: no image can have any use for that. */
  #refuseLoop({ identity }: ImageFile): void {
    if (this.#identities.has(identity)) throw new RangeError("the chain of images is a loop");
    this.#identities.add(identity);
  }

  /** Closes all but the first one. */
  [Symbol.dispose](): void {
    for (const file of this.all.slice(1)) file[Symbol.dispose]();
  }
}
