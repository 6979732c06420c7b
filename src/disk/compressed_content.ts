/**
 * What a file is that was compressed as a whole: a disk, it is hoped.
 *
 * @module
 */
import type { IoBuffer } from "../sys/memory.ts";
import { archiveIn } from "./archives.ts";
import { earlyReader } from "./early_reader.ts";
import { isSupported, likeness } from "./format_hints.ts";
import type { ImageAccess } from "./image_access.ts";
import type { Marked } from "./marks.ts";
import { recognise } from "./probe.ts";

/** Formats of files that could have been anything. */
const COMPRESSED: readonly (string | undefined)[] = ["GZIP", "XZ", "ZSTD"];

/** Marks lie within so much of the start. */
const HEAD_BYTES = 2048;

/**
 * What to say of a disk that was compressed but is an image itself, or an archive; undefined if nothing
 * is. The end of it, where marks can be as well, may be far.
 */
export function compressedContentHint(access: ImageAccess): string | undefined {
  if (!COMPRESSED.includes(access.formats[0])) return undefined;
  const head = new Head(earlyReader(access, access.window)(0, HEAD_BYTES));
  const found = recognise(head);
  if (found === undefined) {
    const archive = archiveIn(head);
    return archive && `what is compressed in it ${archive}`;
  }
  const look = `what is compressed in it ${likeness(found)}`;
  return isSupported(found)
    ? `${look}: its device can be attached once more, with -t ${found.name}`
    : `${look}, which is not supported`;
}

/** The first bytes of a disk, as a file. */
class Head implements Marked {
  readonly path = "";
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get sizeBytes(): number {
    return this.#bytes.length;
  }

  read(target: IoBuffer, position: number, offset: number, lengthBytes: number): void {
    target.bytes.set(this.#bytes.subarray(offset, offset + lengthBytes), position);
  }
}
