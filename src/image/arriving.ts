/**
 * Disks whose content is not there when the image is opened: it comes while the image is served.
 *
 * @module
 */
import type { SharedFile } from "../storage/image_file.ts";
import type { SharedSpool } from "../storage/spool_file.ts";

/** Programs whose files can only be decompressed from their start on. */
export type StreamKind = "gzip" | "xz" | "zstd";

/** What is to be decompressed. */
export interface FillJob {
  readonly kind: StreamKind;
  /** Name of the driver, for errors. */
  readonly format: string;
  /** What the disk has; undefined where nobody knows before all is decompressed. */
  readonly sizeBytes: number | undefined;
  /** What is wanted of it, if not all. */
  readonly limitBytes: number | undefined;
}

/** The same for another thread: with the files it is about. */
export interface FillTask extends FillJob {
  readonly source: SharedFile;
  readonly spool: SharedSpool;
}

/** What an image has its content brought with. */
export interface ArrivalMeans {
  /** Has another thread do it. */
  fillInThread(task: FillTask): void;
  /** Is told how far it is, from 0 to 1, where this thread does it. */
  progress(part: number): void;
}

/** The content of such a disk. */
export interface Arriving {
  /** Whether the size of the disk is known before all has come. */
  readonly isSizeKnown: boolean;
  /**
   * Has it come: by and by, or, where its size is not known, before this returns.
   *
   * @throws {ImageFormatError} in that case if the file is damaged
   * @throws {RelatedFileError} likewise if there is no room for the content
   * @throws {SystemError} likewise if the file cannot be read; where no other thread can be had
   */
  begin(means: ArrivalMeans): void;
  /** Whether somebody waits for some of it. */
  readonly isAwaited: boolean;
  /** Tells those whose wait is over. */
  reap(): void;
}
