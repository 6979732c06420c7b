/**
 * What a guest sees of an image, unreadable places among it.
 *
 * @module
 */
import { openImage } from "../../../../src/disk/open.ts";
import { ImageFormatError } from "../../../../src/image/errors.ts";
import { ImageFile } from "../../../../src/storage/image_file.ts";
import { O_RDONLY, openFile } from "../../../../src/sys/files.ts";
import { readDisk } from "../../../support/disk.ts";
import type { Original } from "../write/originals.ts";

const PIECE_BYTES = 4096;

/** A line for each piece of the disk, and of the disk in each snapshot: equal if the bytes are. */
export function diskContent(
  { path, keys }: Pick<Original, "path" | "keys">,
  snapshots: readonly string[] = [],
): string[] {
  return [undefined, ...snapshots].flatMap((snapshot) => [...piecesOf({ path, keys, snapshot })]);
}

function* piecesOf(
  { path, keys, snapshot }: {
    readonly path: string;
    readonly keys: Original["keys"];
    readonly snapshot: string | undefined;
  },
): Generator<string> {
  const file = new ImageFile(openFile(path, O_RDONLY), path);
  const request = {
    format: "QCOW",
    readOnly: true,
    force: true,
    offsetBytes: 0,
    sizeLimitBytes: 0,
    backingFormat: "RAW",
    allowBacking: ["/"],
    ...(snapshot === undefined ? {} : { snapshot }),
  };
  using access = openImage(file, request, keys === undefined ? {} : { keys });
  for (let at = 0; at < access.sizeBytes; at += PIECE_BYTES) {
    const bytes = Math.min(PIECE_BYTES, access.sizeBytes - at);
    yield `${at}: ${pieceText(() => readDisk(access, at, bytes))}`;
  }
}

/** The bytes, which tests make of few patterns, as a short text. */
function pieceText(read: () => Uint8Array): string {
  try {
    return checksum(read()).toString(16);
  } catch (error) {
    if (error instanceof ImageFormatError) return UNREADABLE;
    return `error ${error}`;
  }
}

export const UNREADABLE = "unreadable";

/** FNV-1a, 32 bits. */
function checksum(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => Math.imul(sum ^ byte, 0x0100_0193) >>> 0, 0x811c_9dc5);
}
