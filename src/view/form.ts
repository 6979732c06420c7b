/**
 * What a view is made of, in one form or another: which parts of the disk the kernel reads, and the
 * metadata by which it finds them.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import type { DemandLayout } from "./demand_layout.ts";
import type { ServedWindow } from "./served_windows.ts";

/** One form of views. */
export interface ViewForm {
  /** Whether a server has to have a part of the disk. */
  readonly needsServer: boolean;
  /** How much that is of all that is stored, from 0 to 1. */
  readonly servedShare: number;
  /** Whether the kernel decompresses. */
  readonly isDecoding: boolean;
  /** Where in the image's files their devices begin, in bytes. */
  readonly fileStarts: readonly number[];
  /**
   * The metadata, whole.
   *
   * @param path of the file in the view, without a leading slash
   * @throws {RangeError} if a name of the path is too long
   */
  metadata(path: string): FormedMetadata;
}

export interface FormedMetadata {
  /** All of it, or, of metadata that are made on demand, the first part. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What has to be known for the rest, if there is one. */
  readonly demand?: Omit<DemandLayout, "head">;
  /** As {@link ViewMetadata.needsDirectIo}. */
  readonly needsDirectIo: boolean;
  /** Where the disk begins in what is served, in bytes. */
  readonly leadBytes: number;
  /** The devices of what is served; none if there is no server. */
  readonly windows: readonly ServedWindow[];
}

/** What to make a form of. */
export interface Forming {
  readonly access: ImageAccess;
  /** Of its files, as far as their devices show them, in bytes. */
  readonly fileSizes: readonly number[];
}

/** Which of the files are devices themselves. */
export function fixedFiles({ files }: ImageAccess): boolean[] {
  return files.map(({ status }) => status.kind === "block");
}
