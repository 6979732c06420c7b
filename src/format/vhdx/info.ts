/**
 * What an image says of itself. qemu tells nothing of what only this format has.
 *
 * @module
 */
import type { MemoryLimit } from "../../image/driver.ts";
import type { Parent } from "../../image/identity.ts";
import type { ImageInfo, InfoValue } from "../../image/info.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { guidText } from "../kit/guid.ts";
import type { Metadata } from "./metadata.ts";
import { descriptionOf, sourceOf } from "./open.ts";
import { parentOf } from "./parent.ts";

/** @throws as {@link sourceOf} and {@link descriptionOf} */
export function describeVhdx(file: ImageFile, memory?: MemoryLimit): ImageInfo {
  const source = sourceOf(file, memory);
  using _ = source.replay;
  const { metadata } = descriptionOf(source);
  const parent = parentOf(file, metadata);
  const id = guidText(source.header.fields.data_write_guid);
  return {
    format: "vhdx",
    sizeBytes: metadata.sizeBytes,
    clusterBytes: metadata.blockBytes,
    dirty: source.replay !== undefined,
    ...(id === undefined ? {} : { identity: { id } }),
    ...(parent === undefined ? {} : { parent }),
    specific: { type: "vhdx", data: dataOf(metadata, { id, parent }) },
  };
}

function dataOf(
  { isFixed, sectorBytes, physicalSectorBytes, diskId }: Metadata,
  { id, parent }: { readonly id: string | undefined; readonly parent: Parent | undefined },
): { [key: string]: InfoValue } {
  const type = parent !== undefined ? "differencing" : isFixed ? "fixed" : "dynamic";
  return {
    "type": type,
    "logical-sector-size": sectorBytes,
    ...(physicalSectorBytes === undefined ? {} : { "physical-sector-size": physicalSectorBytes }),
    ...(diskId === undefined ? {} : { "disk-id": diskId }),
    ...(id === undefined ? {} : { "data-write-guid": id }),
    ...(parent === undefined ? {} : {
      "parent-data-write-guid": parent.identity.id,
      "parent-names": parent.names.map(({ path }) => path),
    }),
  };
}
