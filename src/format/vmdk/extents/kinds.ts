/**
 * The kinds of extents with tables of their own, which are told by their marks, whatever a descriptor says.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { DESCRIPTOR_HEAD_BYTES } from "../layout.ts";
import { seSparse } from "../sesparse/extent.ts";
import { cowd } from "./cowd.ts";
import { hosted } from "./hosted.ts";
import type { ExtentKind } from "./kind.ts";

const KINDS: readonly ExtentKind[] = [hosted, cowd, seSparse];

/** The first bytes of a file, or all of it. */
export function headOf(file: ImageFile): Uint8Array {
  const buffer = new IoBuffer(Math.min(DESCRIPTOR_HEAD_BYTES, file.sizeBytes));
  file.read(buffer, 0, 0, buffer.size);
  return buffer.bytes;
}

/** The kind of a file that begins with `head`; undefined if it is none. */
export function kindOf(head: Uint8Array): ExtentKind | undefined {
  return KINDS.find((kind) => kind.isMarked(head));
}
