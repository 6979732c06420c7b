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

/** What to say of a file that has no descriptor: which file is likely to have it, if its name tells. */
export function pieceHint(path: string): string {
  const name = baseName(path);
  const descriptor = name.replace(PIECE, ".vmdk");
  return descriptor === name ? "" : `; name its descriptor, which may be ${descriptor}`;
}
