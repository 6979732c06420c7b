/**
 * Where the descriptor of an image is: alone in a file, or in the one extent that there is.
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { type Descriptor, parseDescriptor } from "./descriptor/descriptor.ts";
import { isDescriptor } from "./descriptor/mark.ts";
import { damaged, pieceHint, unsupported } from "./errors.ts";
import type { ExtentHeader, ExtentKind, FileRange } from "./extents/kind.ts";
import { headOf, kindOf } from "./extents/kinds.ts";
import { MAX_DESCRIPTOR_BYTES } from "./layout.ts";

/** What the file says that was given. */
export interface Source {
  readonly descriptor: Descriptor;
  /** Where its text is. */
  readonly range: FileRange;
  /** The extent that the file itself is, whatever the descriptor calls it; undefined if it is none. */
  readonly own: OwnExtent | undefined;
}

export interface OwnExtent {
  readonly kind: ExtentKind;
  readonly header: ExtentHeader;
}

/**
 * Reads the descriptor.
 *
 * @param force whether an extent without one is taken as a disk of its own
 * @throws {ImageFormatError} if there is none, or it is damaged
 * @throws {UnsupportedFeatureError} if the file is an extent that needs what is not supported
 * @throws {SystemError} if the file cannot be read
 */
export function readSource(file: ImageFile, { force }: { readonly force: boolean }): Source {
  const head = headOf(file);
  if (isDescriptor(head)) {
    const lengthBytes = Math.min(file.sizeBytes, MAX_DESCRIPTOR_BYTES);
    return { ...descriptorAt(file, { hostOffset: 0, lengthBytes }), own: undefined };
  }
  const kind = kindOf(head);
  const hint = pieceHint(file.path);
  if (kind === undefined) throw damaged(file.path, `this is no VMDK image${hint}`);
  const header = kind.header(file);
  const { descriptor: range, sizeBytes } = header;
  if (range !== undefined) {
    const own = sizeBytes === 0 ? undefined : { kind, header };
    const found = descriptorAt(file, range);
    // Pieces that qemu makes have room for one, with nothing in it.
    if (own === undefined || found.descriptor.fields.size > 0) return { ...found, own };
  }
  const nothing = { descriptor: { fields: new Map(), extents: [] }, range: NOWHERE };
  if (force) return { ...nothing, own: { kind, header } };
  const message = "this is a piece of an image, not the file that describes it";
  throw damaged(file.path, `${message}${hint} (--force takes it as a disk of its own)`);
}

const NOWHERE: FileRange = { hostOffset: 0, lengthBytes: 0 };

function descriptorAt(file: ImageFile, range: FileRange): Pick<Source, "descriptor" | "range"> {
  const buffer = new IoBuffer(range.lengthBytes);
  file.read(buffer, 0, range.hostOffset, range.lengthBytes);
  return { descriptor: parseDescriptor(buffer.bytes, file.path), range };
}

/** @throws {ImageFormatError} if the extents are no disk, or one that no number can count */
export function checkLines({ extents }: Descriptor, path: string): void {
  if (extents.length === 0) throw damaged(path, "the descriptor has no extents");
  const sizeBytes = extents.reduce((sum, extent) => sum + extent.sizeBytes, 0);
  if (!Number.isSafeInteger(sizeBytes)) throw unsupported(path, "a disk of 8 PiB or more");
}
