/**
 * Images that know what lies below them by what it is, not only by what it was called.
 *
 * @module
 */

/** What an image is known by to those above it. */
export interface Identity {
  /** Given when it was made: a UUID, say; undefined where only a name says which image is meant. */
  readonly id?: string;
  /** Changes whenever it is written to; undefined where a format has nothing of that kind. */
  readonly state?: string;
  /** As `state`, where a format has both, and images above know one or the other: VMDK's CID. */
  readonly contentId?: string;
}

/** A name as an image records it for another file. */
export interface RecordedPath {
  /** Windows has `\` between folders, and drives: of an absolute path, only the last part means anything here. */
  readonly kind: "plain" | "windows";
  readonly path: string;
}

/** The image below another one, which opening it has to find. */
export interface Parent {
  /** Canonical name of its format. */
  readonly format: string;
  /** Formats that it may have instead, as VirtualBox lets them lie on each other. */
  readonly otherFormats?: readonly string[];
  readonly identity: Identity;
  /** Other identifiers that it may have instead. */
  readonly otherIds?: readonly string[];
  /** What it was called, the likeliest first. */
  readonly names: readonly RecordedPath[];
}
