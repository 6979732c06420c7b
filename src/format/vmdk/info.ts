/**
 * What an image says of itself. What only this format has is called as qemu does (qapi/block-core.json,
 * `ImageInfoSpecificVmdk`), but for the extents, which need not be there.
 *
 * @module
 */
import type { ImageInfo, InfoValue } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import type { Descriptor } from "./descriptor/descriptor.ts";
import { cidOf, ownIdentity, parentOf } from "./parent.ts";
import { checkLines, readSource, type Source } from "./source.ts";

/** @throws as {@link readSource} */
export function describeVmdk(file: ImageFile): ImageInfo {
  const source = readSource(file, { force: true });
  const { descriptor, own } = source;
  if (own === undefined) checkLines(descriptor, file.path);
  const parent = parentOf(descriptor, file.path);
  const { extents } = descriptor;
  return {
    format: "vmdk",
    sizeBytes: own?.header.sizeBytes ?? extents.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    ...(own === undefined ? {} : { clusterBytes: own.header.grainBytes }),
    dirty: own?.header.isUnclean ?? false,
    identity: ownIdentity(descriptor),
    ...(parent === undefined ? {} : { parent }),
    specific: { type: "vmdk", data: { ...dataOf(descriptor), extents: extentsOf(file, source) } },
  };
}

function dataOf(descriptor: Descriptor): { readonly [key: string]: InfoValue } {
  const createType = descriptor.fields.get("createtype")?.value;
  return {
    ...number("cid", cidOf(descriptor, "cid")),
    ...number("parent-cid", cidOf(descriptor, "parentcid")),
    ...(createType === undefined ? {} : { "create-type": createType }),
  };
}

function number(key: string, cid: string | undefined): { readonly [key: string]: InfoValue } {
  return cid === undefined ? {} : { [key]: Number.parseInt(cid, 16) };
}

/** The one that is the file itself has the file's name, as that may have been given another one. */
function extentsOf(file: ImageFile, { descriptor: { extents }, own }: Source): InfoValue[] {
  if (own !== undefined) {
    const { sizeBytes, grainBytes, isCompressed } = own.header;
    return [{
      "virtual-size": sizeBytes,
      "filename": file.path,
      "cluster-size": grainBytes,
      "format": "",
      ...(isCompressed ? { compressed: true } : {}),
    }];
  }
  return extents.map(({ sizeBytes, file: name, type }) => ({
    "virtual-size": sizeBytes,
    ...(name === undefined ? {} : { filename: name }),
    "format": type,
  }));
}
