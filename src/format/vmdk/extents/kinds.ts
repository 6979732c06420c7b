/**
 * The kinds of extents with tables of their own, which are told by their marks, whatever a descriptor says.
 *
 * @module
 */
import type { ImageFile } from "../../../storage/image_file.ts";
import { IoBuffer } from "../../../sys/memory.ts";
import { startsWith } from "../../kit/starts_with.ts";
import { COWD_MARK, DESCRIPTOR_HEAD_BYTES, SESPARSE_MARK } from "../layout.ts";
import { unsupported } from "../errors.ts";
import { hosted } from "./hosted.ts";
import type { ExtentKind } from "./kind.ts";

const KINDS: readonly ExtentKind[] = [hosted];

/** Kinds that are only known by their marks. */
const UNSUPPORTED: readonly (readonly [feature: string, mark: Uint8Array])[] = [
  ["extents of the kind COWD", COWD_MARK],
  ["extents of the kind SESPARSE", SESPARSE_MARK],
];

/** The first bytes of a file, or all of it. */
export function headOf(file: ImageFile): Uint8Array {
  const buffer = new IoBuffer(Math.min(DESCRIPTOR_HEAD_BYTES, file.sizeBytes));
  file.read(buffer, 0, 0, buffer.size);
  return buffer.bytes;
}

/**
 * The kind of a file that begins with `head`; undefined if it is none.
 *
 * @throws {UnsupportedFeatureError} if it is one that is only known by its mark
 */
export function kindOf(head: Uint8Array, path: string): ExtentKind | undefined {
  const found = KINDS.find((kind) => kind.isMarked(head));
  if (found !== undefined) return found;
  const known = UNSUPPORTED.find(([, mark]) => startsWith(head, mark));
  if (known !== undefined) throw unsupported(path, known[0]);
  return undefined;
}
