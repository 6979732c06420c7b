/**
 * Errors of this driver.
 *
 * @module
 */
import { ImageFormatError, UnsupportedFeatureError } from "../../image/errors.ts";
import { VMDK } from "../../image/formats.ts";
import { baseName } from "../../sys/paths.ts";

/** A file that is no valid image, or damaged metadata, at `hostOffset` where that is known. */
export function damaged(path: string, message: string, hostOffset?: number): ImageFormatError {
  return new ImageFormatError(VMDK.name, path, message, hostOffset);
}

export function unsupported(path: string, feature: string): UnsupportedFeatureError {
  return new UnsupportedFeatureError(VMDK.name, path, feature);
}

/** How VMware, VirtualBox and qemu name the pieces of `disk.vmdk`. */
const PIECE = /-(?:flat|delta|sesparse|ctk|pt|[sf]\d{3,6})\.vmdk$/i;

/** Where the descriptor of a piece is likely to be, if the name of that tells; undefined if it does not. */
export function descriptorPath(path: string): string | undefined {
  return PIECE.test(path) ? path.replace(PIECE, ".vmdk") : undefined;
}

/** What to say of a file that has no descriptor: which file is likely to have it. */
export function pieceHint(path: string): string {
  const descriptor = descriptorPath(path);
  return descriptor === undefined
    ? ""
    : `; name its descriptor, which may be ${baseName(descriptor)}`;
}
