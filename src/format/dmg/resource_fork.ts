/**
 * Resources of a Macintosh file ("Inside Macintosh: More Macintosh Toolbox", chapter 1), of which those of
 * one type have the tables:
 *
 *     +---------------------+
 *     | data_offset, ...    |
 *     +---------------------+ <- data_offset
 *     | length, resource    | <-------------.
 *     | length, resource    |               |
 *     +---------------------+ <- map_offset |
 *     | MAP                 |               |
 *     |   TYPE, how many ---+-> REFERENCE --'
 *     +---------------------+
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

const HEADER = new RecordLayout({
  data_offset: "u32",
  map_offset: "u32",
  data_length: "u32",
  map_length: "u32",
}, { sizeBytes: 16, endian: "big" });

const MAP = new RecordLayout({
  reserved: "bytes24",
  types_offset: "u16",
  names_offset: "u16",
}, { sizeBytes: 28, endian: "big" });

/** A list of types begins with their number, less one. `references_offset` counts from that on. */
const TYPE_COUNT_BYTES = 2;
const TYPE = new RecordLayout({
  type: "u32",
  last: "u16",
  references_offset: "u16",
}, { sizeBytes: 8, endian: "big" });

const REFERENCE = new RecordLayout({
  id: "u16",
  name_offset: "u16",
  /** The upper 8 bits are something else's. */
  data_offset: "u32",
  reserved: "u32",
}, { sizeBytes: 12, endian: "big" });
const DATA_OFFSET_MASK = 0xffffff;
const LENGTH_BYTES = 4;

/** "blkx" */
const WANTED = 0x626c6b78;

/**
 * The resources that tables are in.
 *
 * @throws {RangeError} if these are no resources
 */
export function* tablesAmong(bytes: Uint8Array<ArrayBuffer>): Generator<Uint8Array<ArrayBuffer>> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const header = HEADER.read(view, 0);
  const types = header.map_offset + MAP.read(view, header.map_offset).types_offset;
  const count = (view.getUint16(types) + 1) & 0xffff;
  for (let index = 0; index < count; index++) {
    const type = TYPE.read(view, types + TYPE_COUNT_BYTES + index * TYPE.sizeBytes);
    if (type.type !== WANTED) continue;
    for (let item = 0; item <= type.last; item++) {
      const at = types + type.references_offset + item * REFERENCE.sizeBytes;
      const { data_offset } = REFERENCE.read(view, at);
      const start = header.data_offset + (data_offset & DATA_OFFSET_MASK);
      const lengthBytes = view.getUint32(start);
      const end = start + LENGTH_BYTES + lengthBytes;
      if (end > bytes.length) throw new RangeError("a resource lies outside of them");
      yield bytes.subarray(start + LENGTH_BYTES, end);
    }
  }
}
