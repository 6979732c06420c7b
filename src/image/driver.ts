/**
 * The contract between format drivers and everything above them.
 *
 * A driver translates guest offsets into places: `map` says where bytes are, `place` where they may
 * go. It never touches a guest's byte, knows no thread, and waits for a disk only as far as it is told
 * that it may. A missing optional member of {@link Image} is a missing capability, for which image
 * access has a fallback or a refusal.
 *
 * @module
 */
import type { Arriving } from "./arriving.ts";
import type { CheckOptions, CheckResult } from "./checking.ts";
import type { ContentStep } from "./content_steps.ts";
import type { Packing } from "./decoding.ts";
import type { Format } from "./formats.ts";
import type { ImageFile } from "../storage/image_file.ts";
import type { Parent, RecordedPath } from "./identity.ts";
import type { ImageInfo } from "./info.ts";
import type { KeyRing } from "./key_ring.ts";
import type { SpoolFile } from "../storage/spool_file.ts";
import type { MappedDisk } from "./mapping.ts";
import type { SnapshotChange } from "./snapshot_change.ts";
import type { Writing } from "./writing.ts";

/** Bytes that mark a format, at a fixed offset from the start or (negative) the end of the file. */
export interface Magic {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Whether files of other formats may begin so, too, which then have a mark at their end. */
  readonly isShared?: boolean;
}

/** One registered file format; stateless. */
export interface FormatDriver extends Format {
  /** How files of this format begin; empty for a format without a mark. */
  readonly magics: readonly Magic[];
  /** Drivers for other versions of the format, whose files are found under this name, too. */
  readonly otherVersions?: readonly FormatDriver[];
  /**
   * What names of such files end with, in small letters: among them, images are looked for of which only
   * the identity is known.
   */
  readonly extensions?: readonly string[];
  /** Whether a file is of this format that begins like that, where no fixed mark tells: a text, say. */
  readonly isTextOf?: (head: Uint8Array) => boolean;
  /** Whether a disk of this format may lie in several files, which it opens as its pieces. */
  readonly hasPieces?: true;
  /**
   * Reads and validates the metadata. The file stays the caller's to close.
   *
   * @throws {ImageFormatError} if the file is not a valid image of this format
   * @throws {UnsupportedFeatureError} if it needs something this driver does not have
   * @throws {SecretError} if it is encrypted, and `options.keys` do not unlock it
   */
  open(file: ImageFile, options: OpenOptions): Image;
  /**
   * What of the image cannot be written to, so that it is only read; undefined if nothing is known of that.
   *
   * @throws as {@link FormatDriver.open}
   */
  obstacleToWriting?(file: ImageFile): string | undefined;
  /**
   * What the metadata say of the image: needs no key, opens no other file, and takes images that are
   * marked as corrupt. Without it, only format and size are known.
   *
   * @param memory limits what the answer may take
   * @throws as {@link FormatDriver.open}
   */
  info?(file: ImageFile, memory?: MemoryLimit): ImageInfo;
  /**
   * Looks for what is wrong with the metadata; needs no key, opens no other file, and takes images that
   * are marked as corrupt. Without it, images of this format cannot be checked.
   *
   * @param file open for writing if something shall be repaired
   * @throws as {@link FormatDriver.open}; {RangeError} if it takes too much memory
   */
  check?(file: ImageFile, options: CheckOptions): CheckResult;
  /**
   * Says how the content of the disk is verified, from its start to its end: checking an image of this
   * format is that.
   *
   * @throws as {@link FormatDriver.open}
   */
  contentSteps?(file: ImageFile, related: RelatedFiles): Iterable<ContentStep>;
  /**
   * Changes the internal snapshots of an image that nobody else has open; needs no key, and opens no other
   * file. Whatever comes between, the image is as it was, or as it is to be. Without it, images of this
   * format have no snapshots.
   *
   * @param file open for writing
   * @throws {RangeError} if the image cannot have it so
   * @throws {SystemError} if it cannot be written
   * @throws as {@link FormatDriver.open}
   */
  changeSnapshots?(file: ImageFile, change: SnapshotChange): void;
}

/** How much of what images say may stay in memory: one limit for all images of a chain. */
export interface MemoryLimit {
  /**
   * Says that so many bytes are about to be kept for as long as an image is open.
   *
   * @throws {RangeError} if that is too much
   */
  reserveMemory(lengthBytes: number): void;
}

/** How an image is to be opened; what is absent was not asked for. */
export interface OpenOptions {
  readonly readOnly: boolean;
  /** Opens what the image names; without it, an image that needs another file is refused. */
  readonly related?: RelatedFiles;
  /** Name or identifier of the internal snapshot to show instead of the active disk. */
  readonly snapshot?: string;
  /** Whether an image that is marked as corrupt is opened all the same, for reading. */
  readonly force?: boolean;
  /** What unlocks encrypted images; without it, they are refused. */
  readonly keys?: KeyRing;
  /** Whether it was being written to, and is not to be changed before {@link Writing.reclaim}. */
  readonly isRevived?: boolean;
  /** Whether only {@link Image.map} will be asked: that needs no key. */
  readonly mapOnly?: boolean;
  /** Upper bound of the metadata cache, in bytes; by default {@link DEFAULT_CACHES}. */
  readonly metadataCacheBytes?: number;
}

/**
 * Files that images name: only the opener knows which of them may be opened, and how. What it opens
 * is its own to close; paths are resolved against the folder of the file that names them.
 */
export interface RelatedFiles extends MemoryLimit {
  /**
   * Opens the image below `by`.
   *
   * @param name as recorded: a path, `file:` or `json:`
   * @param format the recorded format, undefined where none is recorded
   * @returns undefined if the user wants to do without: what is not in `by` reads as zeros
   * @throws {RelatedFileError} if it may not or cannot be opened
   */
  openBacking(by: ImageFile, name: string, format: string | undefined): Image | undefined;
  /**
   * Opens the image below `by` that has a certain identity, wherever it is found.
   *
   * @returns as {@link RelatedFiles.openBacking}
   * @throws {RelatedFileError} likewise; if none is found, or it has been changed since `by` was made
   */
  openParent(by: ImageFile, parent: Parent): Image | undefined;
  /**
   * Opens one of the files that the disk of `by` consists of.
   *
   * @param names what it was called, the likeliest first; it may also be beside `by`, wherever it was
   * @throws as {@link RelatedFiles.openBacking}
   */
  openPiece(
    by: ImageFile,
    names: readonly RecordedPath[],
    wanted: { readonly readOnly: boolean },
  ): ImageFile;
  /**
   * Opens, for reading, the files of a folder that the disk of `by` consists of, in the order of their
   * names. What is empty is left out.
   *
   * @param folder its name, beside `by`; empty for the one that `by` itself is in
   * @param isPiece tells by the name of a file whether it is one
   * @throws as {@link RelatedFiles.openBacking}; if there are more than can be open at once
   */
  openPiecesIn(
    by: ImageFile,
    folder: string,
    isPiece: (name: string) => boolean,
  ): readonly ImageFile[];
  /** Opens the external data file of `by`; throws as {@link RelatedFiles.openBacking}. */
  openDataFile(by: ImageFile, name: string, wanted: { readonly readOnly: boolean }): ImageFile;
  /** Makes a file for what is decompressed of `by`; throws as {@link RelatedFiles.openBacking}. */
  openSpool(by: ImageFile): Spool;
}

/** Where the content of a compressed file goes to. */
export interface Spool {
  readonly file: SpoolFile;
  /** What is wanted of it, in bytes from its start on, if not all. */
  readonly limitBytes: number | undefined;
}

/** An open image: its metadata and the cache of it. */
export interface Image extends MappedDisk, Disposable {
  /** What the user ought to know of an image that could be opened all the same. */
  readonly warnings?: readonly string[];
  /** Logical block size in bytes that the format prescribes for its disk; undefined if it does not. */
  readonly sectorBytes?: number | undefined;
  /**
   * Takes notice of a size that another program has given the disk, where the image has to be asked for
   * that; of one that is written to here, nobody else does.
   *
   * @throws {ImageFormatError | UnsupportedFeatureError} if it is not the same image any more
   * @throws {SystemError} if it cannot be read; all stays as it was then
   */
  refreshSize?(): void;
  /** Gives the memory back of all that can be read again; called when nothing is going on. */
  dropCaches?(): void;
  /** Of an image whose pieces are not all of one size, or need more than deflate or zstd. */
  readonly packing?: Packing | undefined;
  /** Its content, where that is not there from the start. */
  readonly arriving?: Arriving | undefined;
  /** What changes it; undefined if it was opened read-only, or its driver only reads. */
  readonly writing?: Writing | undefined;
}
