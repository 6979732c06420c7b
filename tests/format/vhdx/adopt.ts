/**
 * Children of images that other programs have made: none that runs here makes any.
 *
 * @module
 */
import { guidText } from "../../../src/format/kit/guid.ts";
import {
  FILE_PARAMETERS,
  HAS_PARENT,
  HEADER,
  HEADER_OFFSETS,
  Item,
  ITEM_REQUIRED,
  METADATA_ENTRY,
  METADATA_TABLE,
  Region,
  REGION_ENTRY,
  REGION_TABLE,
  REGION_TABLE_OFFSETS,
} from "../../../src/format/vhdx/layout.ts";
import { baseName } from "../../../src/sys/paths.ts";
import { guidBytes } from "./image_builder.ts";
import { locator } from "./locator.ts";

/** Where the parent locator is put among the metadata: behind what there is. */
const LOCATOR = 128 * 1024;

/** Has an image, which was made as a dynamic one and is still empty, lie on another one in its folder. */
export function adoptVhdx(child: string, parent: string): void {
  const bytes = Deno.readFileSync(child);
  const view = new DataView(bytes.buffer);
  const metadata = regionIn(view, Region.metadata);
  const { entry_count } = METADATA_TABLE.read(view, metadata);
  const content = locator({
    parent_linkage: `{${dataWriteGuid(parent)}}`,
    relative_path: `.\\${baseName(parent)}`,
  });
  bytes.set(content, metadata + LOCATOR);
  METADATA_TABLE.write(view, metadata, { entry_count: entry_count + 1 });
  METADATA_ENTRY.write(view, entryAt(metadata, entry_count), {
    item_id: guidBytes(Item.parentLocator),
    offset: LOCATOR,
    length: content.length,
    flags: ITEM_REQUIRED,
  });
  const parameters = metadata + itemIn(view, metadata, Item.fileParameters);
  FILE_PARAMETERS.write(view, parameters, { flags: HAS_PARENT });
  Deno.writeFileSync(child, bytes);
}

function dataWriteGuid(path: string): string {
  const view = new DataView(Deno.readFileSync(path).buffer);
  const [first, second] = HEADER_OFFSETS.map((at) => HEADER.read(view, at));
  if (first === undefined || second === undefined) throw new Error("no headers");
  const newer = first.sequence_number > second.sequence_number ? first : second;
  return guidText(newer.data_write_guid) ?? "";
}

function regionIn(view: DataView, name: string): number {
  const [table] = REGION_TABLE_OFFSETS;
  const { entry_count } = REGION_TABLE.read(view, table);
  for (let index = 0; index < entry_count; index++) {
    const at = table + REGION_TABLE.sizeBytes + index * REGION_ENTRY.sizeBytes;
    const { guid, file_offset } = REGION_ENTRY.read(view, at);
    if (guidText(guid) === name) return Number(file_offset);
  }
  throw new Error(`no region ${name}`);
}

function entryAt(metadata: number, index: number): number {
  return metadata + METADATA_TABLE.sizeBytes + index * METADATA_ENTRY.sizeBytes;
}

function itemIn(view: DataView, metadata: number, name: string): number {
  const { entry_count } = METADATA_TABLE.read(view, metadata);
  for (let index = 0; index < entry_count; index++) {
    const { item_id, offset } = METADATA_ENTRY.read(view, entryAt(metadata, index));
    if (guidText(item_id) === name) return offset;
  }
  throw new Error(`no item ${name}`);
}
