/**
 * Small VDI images, made byte by byte.
 *
 * @module
 */
import { ENTRY_FREE, HEADER, ImageType, MAGIC } from "../../../src/format/vdi/layout.ts";

/** Bytes of a block, of the smallest size there is, and where the map and the blocks begin. */
export const BLOCK = 4096;
export const MAP = 512;
export const DATA = 1024;

/** An identifier of 16 bytes which are all the same. */
export function uuid(byte: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(16).fill(byte);
}

/** What is written down of {@link uuid}. */
export function uuidText(byte: number): string {
  const two = byte.toString(16).padStart(2, "0");
  return [4, 2, 2, 2, 6].map((count) => two.repeat(count)).join("-");
}

export interface VdiParts {
  readonly header?: Parameters<typeof HEADER.write>[2];
  /** Entries of the map; stored block n has bytes of n + 1. */
  readonly map?: readonly number[];
  /** How many blocks are stored. */
  readonly stored?: number;
}

/** An image of eight blocks, or as many as its map has. */
export function buildVdi({ header = {}, map = [], stored = 4 }: VdiParts = {}): Uint8Array<
  ArrayBuffer
> {
  const blocks = Math.max(8, map.length);
  const extra = Number(header.block_extra ?? 0);
  const bytes = new Uint8Array(DATA + stored * (extra + BLOCK));
  const view = new DataView(bytes.buffer);
  HEADER.write(view, 0, {
    text: new TextEncoder().encode("<<< for tests >>>\n".padEnd(64, "\0")),
    magic: MAGIC,
    version: 0x10001,
    header_size: 0x190,
    type: ImageType.dynamic,
    offset_blocks: MAP,
    offset_data: DATA,
    sector_size: 512,
    disk_size: BigInt(blocks * BLOCK),
    block_size: BLOCK,
    blocks,
    blocks_allocated: stored,
    uuid: uuid(1),
    uuid_modified: uuid(2),
    ...header,
  });
  for (let block = 0; block < blocks; block++) {
    view.setUint32(MAP + 4 * block, map[block] ?? ENTRY_FREE, true);
  }
  for (let n = 0; n < stored; n++) {
    const start = DATA + n * (extra + BLOCK);
    bytes.fill(0xee, start, start + extra);
    bytes.fill(n + 1, start + extra, start + extra + BLOCK);
  }
  return bytes;
}

/** Has an image lie on another one, as VirtualBox would have made it. */
export function adoptVdi(child: string, parent: string): void {
  const bytes = Deno.readFileSync(child);
  const { uuid, uuid_modified } = HEADER.read(new DataView(Deno.readFileSync(parent).buffer), 0);
  HEADER.write(new DataView(bytes.buffer), 0, {
    type: ImageType.differencing,
    uuid_parent: uuid,
    uuid_parent_modified: uuid_modified,
  });
  Deno.writeFileSync(child, bytes);
}
