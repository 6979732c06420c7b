/**
 * What is wanted of an image.
 *
 * @module
 */
import type { WindowLimits } from "./window.ts";

/**
 * What is wanted of an image, and which part of its disk. It travels to the daemon and to its
 * threads; a secret never is a part of it.
 */
export interface ImageRequest extends WindowLimits {
  /** Canonical name of its format. */
  readonly format: string;
  readonly readOnly: boolean;
  /** Folder that relative names in the image start from, if not that of {@link ImageFile.path}. */
  readonly namesFolder?: string;
  /** Format of backing files whose format is not recorded: canonical name, or `auto`. */
  readonly backingFormat?: string;
  /** Whether only the image itself is shown, zeros standing for what its backing file has. */
  readonly noBacking?: boolean;
  /** Files, and folders with all below them, that any image may name: paths without links. */
  readonly allowBacking?: readonly string[];
  /**
   * The images below each other that are known by their identity, from the first one down: paths without
   * links. Those that are not named are looked for.
   */
  readonly parents?: readonly string[];
  /** Whether the disk is shown with zeros behind its end, up to a whole block of so many bytes. */
  readonly paddedToBytes?: number;
  /** As {@link OpenOptions.snapshot}. */
  readonly snapshot?: string;
  /** As {@link OpenOptions.force}. */
  readonly force?: boolean;
  /** As {@link OpenOptions.metadataCacheBytes}. */
  readonly metadataCacheBytes?: number;
  /** As {@link OpenOptions.dataCacheBytes}. */
  readonly dataCacheBytes?: number;
  /** Folder in whose file system is kept what is decompressed as a whole. */
  readonly temporaryFolder?: string;
  /** Where writes go to instead of the image, which is opened for reading only. */
  readonly overlay?: TemporaryOverlay | LastingOverlay;
}

/** A layer that stays: an image of its own. */
export interface LastingOverlay {
  /** Absolute path of the file, which is made if it is not there. */
  readonly path: string;
}

/** A layer that is gone when the device is. */
export interface TemporaryOverlay {
  /** Absolute path of the folder in whose file system it is kept; undefined is memory. */
  readonly folder?: string;
  /** What it may take, if there is a limit. */
  readonly limitBytes?: number;
}

/** What was asked for that decides which bytes an image shows. */
export interface ImageView {
  /** Identifier or name of the internal snapshot, as given. */
  readonly snapshot?: string;
  readonly noBacking?: true;
  readonly backingFormat?: string;
  /** Paths without links. */
  readonly parents?: readonly string[];
  readonly force?: true;
}
