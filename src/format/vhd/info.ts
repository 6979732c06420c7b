/**
 * What an image says of itself. qemu, which calls the format vpc, tells nothing of what only this format has.
 *
 * @module
 */
import { exact } from "../../image/exact.ts";
import type { Parent } from "../../image/identity.ts";
import type { ImageInfo, InfoValue } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { guidText } from "../kit/guid.ts";
import { creatorOf, diskSize, type FooterFields } from "./footer.ts";
import { readHeader } from "./header.ts";
import { DiskType } from "./layout.ts";
import { parentOf } from "./parent.ts";

/** @throws as {@link readHeader} */
export function describeVhd(file: ImageFile): ImageInfo {
  const { footer: { fields, isDamaged }, blocks } = readHeader(file, { force: true });
  const parent = parentOf(file, blocks);
  const id = guidText(fields.uuid);
  return {
    format: "vpc",
    sizeBytes: exact(diskSize(fields)),
    ...(blocks === undefined ? {} : { clusterBytes: blocks.blockBytes }),
    dirty: false,
    ...(id === undefined ? {} : { identity: { id } }),
    ...(parent === undefined ? {} : { parent }),
    specific: { type: "vpc", data: { ...dataOf(fields, parent), corrupt: isDamaged } },
  };
}

function dataOf(fields: FooterFields, parent: Parent | undefined): { [key: string]: InfoValue } {
  const { type } = fields;
  const [name = String(type)] = Object.entries(DiskType).find(([, value]) => value === type) ?? [];
  return {
    "type": name,
    "creator": creatorOf(fields).replaceAll("\0", " ").trim(),
    "uuid": guidText(fields.uuid) ?? "",
    ...(parent === undefined ? {} : {
      "parent-uuid": parent.identity.id,
      "parent-names": parent.names.map(({ path }) => path),
    }),
  };
}
