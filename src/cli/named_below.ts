/**
 * What `--info` calls the image below an image.
 *
 * @module
 */
import type { InspectedImage } from "../disk/inspect.ts";

/** An image below, as it is called. */
export interface NamedBelow {
  /** As recorded; where an image records an identity alone, as it was found. */
  readonly name: string;
  /** As it is found from here; undefined if it is not. */
  readonly fullName: string | undefined;
  /** qemu's name of its format, where that is known. */
  readonly format: string | undefined;
}

/** What lies below `image`, whether it is known by a name or by an identity; undefined if nothing does. */
export function namedBelow(
  { path, info: { backing, parent } }: InspectedImage,
  below: InspectedImage | undefined,
): NamedBelow | undefined {
  if (backing !== undefined) return { ...backing, fullName: fullName(path, backing.name) };
  if (parent === undefined) return undefined;
  const name = parent.names[0]?.path ?? below?.path;
  return name === undefined
    ? undefined
    : { name, fullName: below?.path, format: below?.info.format };
}

/** A relative name as it is found from here, by way of the image that names it. */
export function fullName(path: string, name: string): string {
  const hasProtocol = /^[^/:]*:/.test(name);
  if (hasProtocol || name.startsWith("/")) return name;
  return path.slice(0, path.lastIndexOf("/") + 1) + name;
}
