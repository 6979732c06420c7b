/**
 * What kinds of extents with tables of their own have to offer.
 *
 * @module
 */
import type { Packing } from "../../../image/decoding.ts";
import type { Image, OpenOptions, RelatedFiles } from "../../../image/driver.ts";
import type { MappedDisk } from "../../../image/mapping.ts";
import type { Writing } from "../../../image/writing.ts";
import type { ImageFile } from "../../../storage/image_file.ts";

/** A range of a file, in bytes. */
export interface FileRange {
  readonly hostOffset: number;
  readonly lengthBytes: number;
}

/** What the header of an extent says. */
export interface ExtentHeader {
  /** Size of its part of the disk. */
  readonly sizeBytes: number;
  readonly grainBytes: number;
  /** Where the descriptor is, if it is in the extent. */
  readonly descriptor: FileRange | undefined;
  /** Whether it was not closed in order. */
  readonly isUnclean: boolean;
  /** Whether grains are stored compressed. */
  readonly isCompressed: boolean;
  /** What of it cannot be written to, in plural; undefined if it can be. */
  readonly obstacle: string | undefined;
}

/** How an extent is to be opened. */
export interface ExtentOptions extends Pick<OpenOptions, "readOnly"> {
  readonly related: RelatedFiles | undefined;
  /** Where in the disk it begins, in bytes. */
  readonly start: number;
  /** The image below, which counts from the start of the disk. */
  readonly backing: Image | undefined;
  /** Is told before each change of the extent, if it is not opened for reading only. */
  readonly begin: () => void;
  readonly cacheBytes: number;
}

/** An open extent; it counts from its own start on. */
export interface SparseExtent extends MappedDisk {
  /** Of an extent whose grains are compressed. */
  readonly packing: Packing | undefined;
  dropCaches(): void;
  /** What changes it; undefined if it is opened for reading only. */
  readonly writing: Writing | undefined;
}

/** One kind of extents. */
export interface ExtentKind {
  /** Whether a file that begins with `head`, {@link DESCRIPTOR_HEAD_BYTES} or all of it, is one. */
  isMarked(head: Uint8Array): boolean;
  /**
   * Reads and checks the header.
   *
   * @throws {ImageFormatError} if it is damaged
   * @throws {UnsupportedFeatureError} if it needs what is not supported
   */
  header(file: ImageFile): ExtentHeader;
  /**
   * Opens it for what its header says.
   *
   * @throws as {@link ExtentKind.header}; {RangeError} if it takes too much memory
   */
  open(file: ImageFile, options: ExtentOptions): SparseExtent;
}
