/**
 * Small VHD images, made byte by byte.
 *
 * @module
 */
import { checksum } from "../../../src/format/vhd/footer.ts";
import {
  COOKIE,
  DiskType,
  DYNAMIC_COOKIE,
  DYNAMIC_HEADER,
  ENTRY_NONE,
  FOOTER,
  FOOTER_BYTES,
  LOCATOR,
} from "../../../src/format/vhd/layout.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes of a block, of the smallest size there is, and of the bitmap in front of it. */
export const BLOCK = 4096;
export const BITMAP = 512;
/** Where the dynamic header is, the table, and the first block. */
export const HEADER = 512;
export const TABLE = 1536;
export const BLOCKS = 4096;
const STRIDE = BITMAP + BLOCK;
/** Where a name that a locator points to can be. */
const NAME = 2048;

export interface VhdParts {
  readonly footer?: Parameters<typeof FOOTER.write>[2];
  /** Only the copy at the start. */
  readonly copy?: Parameters<typeof FOOTER.write>[2];
  readonly header?: Parameters<typeof DYNAMIC_HEADER.write>[2];
  /** Which stored block each block of the disk has; stored block n has bytes of n + 1. */
  readonly map?: readonly (number | undefined)[];
  /** The first byte of each stored block's bitmap, which stands for all eight sectors. */
  readonly bits?: readonly number[];
  readonly stored?: number;
  /** A locator's code and what it points to. */
  readonly locator?: readonly [code: string, content: Uint8Array];
}

/** Puts a footer or dynamic header with the right checksum, unless another one is given. */
function put(
  bytes: Bytes,
  at: number,
  layout: typeof FOOTER | typeof DYNAMIC_HEADER,
  values: Record<string, unknown>,
): void {
  const view = new DataView(bytes.buffer);
  (layout as typeof FOOTER).write(view, at, values as Parameters<typeof FOOTER.write>[2]);
  if (values["checksum"] !== undefined) return;
  const area = bytes.subarray(at, at + layout.sizeBytes);
  view.setUint32(at + layout.offsets.checksum, checksum(area, layout.offsets.checksum));
}

function footerValues(type: number, sizeBytes: number): Parameters<typeof FOOTER.write>[2] {
  return {
    cookie: COOKIE.slice(),
    features: 2,
    version: 0x10000,
    data_offset: type === DiskType.fixed ? 2n ** 64n - 1n : BigInt(HEADER),
    creator: text("test"),
    creator_os: text("Wi2k"),
    original_size: BigInt(sizeBytes),
    current_size: BigInt(sizeBytes),
    cylinders: 1,
    heads: 4,
    sectors: 17,
    type,
    uuid: uuid(1),
  };
}

/** An image of eight blocks, or as many as its map has, but no more than fit in front of a locator's name. */
export function buildVhd(
  { footer = {}, copy = footer, header = {}, map = [], bits = [], stored = 4, locator }: VhdParts =
    {},
): Bytes {
  const blocks = Math.max(8, map.length);
  const end = BLOCKS + stored * STRIDE;
  const bytes = new Uint8Array(end + FOOTER_BYTES);
  const view = new DataView(bytes.buffer);
  const values = footerValues(DiskType.dynamic, blocks * BLOCK);
  put(bytes, 0, FOOTER, { ...values, ...copy });
  put(bytes, end, FOOTER, { ...values, ...footer });
  put(bytes, HEADER, DYNAMIC_HEADER, {
    cookie: DYNAMIC_COOKIE.slice(),
    data_offset: 2n ** 64n - 1n,
    table_offset: BigInt(TABLE),
    version: 0x10000,
    max_table_entries: blocks,
    block_size: BLOCK,
    ...(locator === undefined ? {} : { locators: locators(bytes, ...locator) }),
    ...header,
  });
  for (let block = 0; block < blocks; block++) {
    const n = map[block];
    view.setUint32(TABLE + 4 * block, n === undefined ? ENTRY_NONE : (BLOCKS + n * STRIDE) / 512);
  }
  for (let n = 0; n < stored; n++) {
    const start = BLOCKS + n * STRIDE;
    bytes[start] = bits[n] ?? 0xff;
    bytes.fill(n + 1, start + BITMAP, start + STRIDE);
  }
  return bytes;
}

function locators(bytes: Bytes, code: string, content: Uint8Array): Bytes {
  bytes.set(content, NAME);
  const all = new Uint8Array(8 * LOCATOR.sizeBytes);
  const values = { space: 512, length: content.length, offset: BigInt(NAME) };
  LOCATOR.write(new DataView(all.buffer), LOCATOR.sizeBytes, { code: text(code), ...values });
  return all;
}

/** An image of fixed size, whose disk has bytes of `byte`. */
export function buildFixed(
  sizeBytes: number,
  byte: number,
  footer: VhdParts["footer"] = {},
): Bytes {
  const bytes = new Uint8Array(sizeBytes + FOOTER_BYTES).fill(byte, 0, sizeBytes);
  put(bytes, sizeBytes, FOOTER, { ...footerValues(DiskType.fixed, sizeBytes), ...footer });
  return bytes;
}

/** An identifier of 16 bytes which are all the same. */
export function uuid(byte: number): Bytes {
  return new Uint8Array(16).fill(byte);
}

export function text(value: string): Bytes {
  return new TextEncoder().encode(value);
}

/** As Windows writes names down. */
export function utf16(value: string, order: "be" | "le"): Bytes {
  const bytes = new Uint8Array(2 * value.length);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < value.length; at++) {
    view.setUint16(2 * at, value.charCodeAt(at), order === "le");
  }
  return bytes;
}

/** Has an image, which was made as a dynamic one, lie on another one. */
export function adoptVhd(child: string, parent: string): void {
  const bytes = Deno.readFileSync(child);
  const view = new DataView(bytes.buffer);
  const below = Deno.readFileSync(parent);
  const { uuid } = FOOTER.read(new DataView(below.buffer), below.length - FOOTER_BYTES);
  for (const at of [0, bytes.length - FOOTER_BYTES]) {
    const { checksum: _, ...values } = FOOTER.read(view, at);
    put(bytes, at, FOOTER, { ...values, type: DiskType.differencing });
  }
  const { checksum: _, ...values } = DYNAMIC_HEADER.read(view, HEADER);
  put(bytes, HEADER, DYNAMIC_HEADER, { ...values, parent_uuid: uuid });
  Deno.writeFileSync(child, bytes);
}
