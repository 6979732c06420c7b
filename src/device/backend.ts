/**
 * The backend identifier of our nbd devices: in /sys/block/nbdN/backend it answers whose a device
 * is and which image is on it.
 *
 * @module
 */
import { NBD_BACKEND_MAX_BYTES } from "../kernel/nbd_devices.ts";

const PREFIX = "tslosetup:";

/** Identifier of a device for an image. */
export function backendOf(format: string, imagePath: string): string {
  const text = `${PREFIX}${format}:${imagePath.replaceAll("\n", "?")}`;
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= NBD_BACKEND_MAX_BYTES) return text;
  return new TextDecoder().decode(bytes.subarray(0, NBD_BACKEND_MAX_BYTES - 3)).replace(
    /\ufffd$/,
    "",
  );
}

/** Whether a device was attached by this program. */
export function isOwnBackend(backend: string | undefined): boolean {
  return backend?.startsWith(PREFIX) === true;
}

/** The format and the image's path (cut if it is very long), if it is one of ours. */
export function parseBackend(
  backend: string | undefined,
): { readonly format: string; readonly image: string } | undefined {
  if (backend === undefined || !isOwnBackend(backend)) return undefined;
  const [format = "", ...path] = backend.slice(PREFIX.length).split(":");
  return { format, image: path.join(":") };
}
