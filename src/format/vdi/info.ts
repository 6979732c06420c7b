/**
 * What an image says of itself. qemu tells nothing of what only this format has; the names of types are
 * VirtualBox's.
 *
 * @module
 */
import { exact } from "../../image/exact.ts";
import { VDI, VHD, VMDK } from "../../image/formats.ts";
import type { Identity, Parent } from "../../image/identity.ts";
import type { ImageInfo, SpecificInfo } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { diskSize, ownIdentity, parentIdentity, readFields } from "./header.ts";
import { ImageType } from "./layout.ts";

/** @throws as {@link readFields} */
export function describeVdi(file: ImageFile): ImageInfo {
  const fields = readFields(file);
  const identity = ownIdentity(fields);
  const parent = parentIdentity(fields);
  return {
    format: "vdi",
    sizeBytes: exact(diskSize(fields)),
    clusterBytes: fields.block_size,
    dirty: false,
    ...(identity === undefined ? {} : { identity }),
    ...(parent === undefined ? {} : { parent: parentOf(parent) }),
    specific: specificOf(fields.type, identity, parent),
  };
}

/** The image below, of any of VirtualBox's formats: no name of it is recorded. */
export function parentOf(identity: Identity): Parent {
  return { format: VDI.name, otherFormats: [VHD.name, VMDK.name], identity, names: [] };
}

function specificOf(
  type: number,
  own: Identity | undefined,
  parent: Identity | undefined,
): SpecificInfo {
  const [name = String(type)] = Object.entries(ImageType).find(([, value]) => value === type) ?? [];
  const data = {
    type: name,
    ...named("uuid", own?.id),
    ...named("modification-uuid", own?.state),
    ...named("parent-uuid", parent?.id),
    ...named("parent-modification-uuid", parent?.state),
  };
  return { type: "vdi", data };
}

function named(key: string, value: string | undefined): { readonly [key: string]: string } {
  return value === undefined ? {} : { [key]: value };
}
