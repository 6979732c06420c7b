/**
 * EWF images as small as they can be.
 *
 * @module
 */
import { deflateSync } from "node:zlib";
import { adler32 } from "../../../src/codec/zlib.ts";
import {
  COMPRESSED_FLAG,
  DIGEST,
  FILE_HEADER,
  HASH,
  MAGIC,
  SECTION,
  TABLE,
  VOLUME,
} from "../../../src/format/ewf/layout.ts";
import type { RecordLayout } from "../../../src/format/kit/record.ts";
import { seededBytes } from "../../nbd/served_image.ts";

export const SECTOR_BYTES = 512;
export const CHUNK_BYTES: number = 8 * SECTOR_BYTES;

/** A disk of chunks that repeat themselves, and of some that do not; the last one is short. */
export const DISK: Uint8Array<ArrayBuffer> = Uint8Array.from([
  ...new Uint8Array(CHUNK_BYTES).fill(7),
  ...seededBytes(CHUNK_BYTES, 1),
  ...new Uint8Array(CHUNK_BYTES),
  ...seededBytes(4 * SECTOR_BYTES, 2),
]);

/** What a test wants to be otherwise. */
export interface EwfOptions {
  readonly sectorBytes?: number;
  /** Says that more segments follow. */
  readonly goesOn?: boolean;
  readonly number?: number;
  /** Digests of the disk that it ends with: of MD5, and of SHA-1 if there is one. */
  readonly md5?: Uint8Array;
  readonly sha1?: Uint8Array;
}

type Bytes = readonly number[];

/** One segment with all of {@link DISK}, every second chunk of which is compressed. */
export function buildEwf(options: EwfOptions = {}): Uint8Array<ArrayBuffer> {
  const { sectorBytes = SECTOR_BYTES, goesOn = false, number: segment = 1 } = options;
  const header = record(FILE_HEADER, { magic: MAGIC, fields_start: 1, segment, fields_end: 0 });
  const volume = summed(VOLUME, {
    media_type: 1,
    chunks: Math.ceil(DISK.length / CHUNK_BYTES),
    sectors_per_chunk: CHUNK_BYTES / sectorBytes,
    bytes_per_sector: sectorBytes,
    sectors: BigInt(DISK.length / sectorBytes),
    set_identifier: new Uint8Array(16).fill(5),
  });
  const bytes = [...header];
  add(bytes, "volume", volume);
  const chunksOffset = bytes.length + SECTION.sizeBytes;
  const { chunks, entries } = storedChunks(chunksOffset);
  add(bytes, "sectors", chunks);
  const table = [
    ...summed(TABLE, { entries: entries.length, base: 0n }),
    ...withSum(entries.flatMap(word)),
  ];
  add(bytes, "table", table);
  add(bytes, "table2", table);
  addDigests(bytes, options);
  add(bytes, goesOn ? "next" : "done", []);
  return Uint8Array.from(bytes);
}

function addDigests(bytes: number[], { md5, sha1 }: EwfOptions): void {
  if (md5 === undefined) return;
  add(bytes, "hash", summed(HASH, { md5 }));
  if (sha1 !== undefined) add(bytes, "digest", summed(DIGEST, { md5, sha1 }));
}

function storedChunks(start: number): { readonly chunks: Bytes; readonly entries: Bytes } {
  const chunks: number[] = [];
  const entries: number[] = [];
  for (let at = 0; at < DISK.length; at += CHUNK_BYTES) {
    const chunk = DISK.subarray(at, at + CHUNK_BYTES);
    const isCompressed = at / CHUNK_BYTES % 2 === 0;
    entries.push(start + chunks.length + (isCompressed ? COMPRESSED_FLAG : 0));
    chunks.push(...(isCompressed ? deflateSync(chunk) : withSum([...chunk])));
  }
  return { chunks, entries };
}

function add(bytes: number[], type: string, data: Bytes): void {
  const isEnd = type === "next" || type === "done";
  const size = SECTION.sizeBytes + data.length;
  const next = BigInt(bytes.length + (isEnd ? 0 : size));
  const name = new Uint8Array(16);
  name.set(new TextEncoder().encode(type));
  bytes.push(...summed(SECTION, { type: name, next, size: BigInt(size) }), ...data);
}

type Fields = Parameters<RecordLayout<Record<string, never>>["write"]>[2];

function record(layout: Pick<RecordLayout<never>, "sizeBytes">, values: object): Bytes {
  const view = new DataView(new ArrayBuffer(layout.sizeBytes));
  (layout as unknown as RecordLayout<Record<string, never>>).write(view, 0, values as Fields);
  return [...new Uint8Array(view.buffer)];
}

/** A record whose last field is the checksum of those before it. */
function summed(layout: Pick<RecordLayout<never>, "sizeBytes">, values: object): Bytes {
  return withSum(record(layout, values).slice(0, -4));
}

export function withSum(bytes: Bytes): Bytes {
  return [...bytes, ...word(adler32(Uint8Array.from(bytes)))];
}

function word(value: number): Bytes {
  return [value & 0xff, value >>> 8 & 0xff, value >>> 16 & 0xff, value >>> 24];
}
