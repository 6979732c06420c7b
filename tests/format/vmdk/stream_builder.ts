/**
 * Small streams of compressed grains, made byte by byte.
 *
 * @module
 */
import { deflateSync } from "node:zlib";
import {
  DIRECTORY_IN_FOOTER,
  GRAIN_MARKER_BYTES,
  HOSTED_HEADER,
  HOSTED_MARK,
  HostedFlag,
  MARKER,
  MarkerType,
  NEWLINES,
} from "../../../src/format/vmdk/layout.ts";
import { descriptor, GRAIN, TABLE_ENTRIES } from "./image_builder.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type HeaderValues = NonNullable<Parameters<typeof HOSTED_HEADER.write>[2]>;

const SECTOR = 512;
const DESCRIPTOR_SECTORS = 4;

export interface StreamParts {
  /** What each grain has; one that is undefined is not stored. */
  readonly grains: readonly (Uint8Array | undefined)[];
  /** Of the disk, if the last grain is not a whole one. */
  readonly sectors?: number;
  /** In front, as qemu does it, or in the footer. */
  readonly directory?: "front" | "footer";
  readonly header?: HeaderValues;
  readonly footer?: HeaderValues;
  /** What markers say of their grains, if not what is right. */
  readonly markers?: ReadonlyMap<number, { readonly sector?: number; readonly size?: number }>;
}

/** A stream, and where in it what is worth damaging is. */
export interface Stream {
  readonly bytes: Bytes;
  /** Of the table of the first grains. */
  readonly table: number;
  /** Of the marker of each grain that is stored. */
  readonly markers: readonly number[];
}

/** Makes a stream with its descriptor. */
export function buildStream(parts: StreamParts): Stream {
  const { grains, directory = "footer", header = {}, footer = {} } = parts;
  const { sectors = grains.length * GRAIN / SECTOR } = parts;
  const sink = new Sink();
  const tables = Math.ceil(grains.length / TABLE_ENTRIES);
  const text = new TextEncoder().encode(descriptor([`RDONLY ${sectors} SPARSE "call-me-stream"`]));
  const front = 1 + DESCRIPTOR_SECTORS;
  const values: HeaderValues = {
    magic: HOSTED_MARK.slice(),
    version: 3,
    flags: HostedFlag.newlines | HostedFlag.compressed | HostedFlag.markers,
    capacity: BigInt(sectors),
    grain_size: BigInt(GRAIN / SECTOR),
    descriptor_offset: 1n,
    descriptor_size: BigInt(DESCRIPTOR_SECTORS),
    table_entries: TABLE_ENTRIES,
    directory: directory === "footer" ? DIRECTORY_IN_FOOTER : BigInt(front),
    overhead: BigInt(front),
    newlines: NEWLINES.slice(),
    compression: 1,
    ...header,
  };
  sink.header(values);
  sink.put(text, DESCRIPTOR_SECTORS * SECTOR);
  if (directory === "front") sink.put(new Uint8Array((1 + tables) * SECTOR));
  const entries = putGrains(sink, parts);
  const last: Places = { tables: front + 1, directory: front };
  if (directory === "footer") {
    sink.marker(1, MarkerType.table);
    last.tables = sink.sector;
    sink.put(new Uint8Array(tables * SECTOR));
    sink.marker(1, MarkerType.directory);
    last.directory = sink.sector;
    sink.put(new Uint8Array(SECTOR));
    sink.marker(1, MarkerType.footer);
    sink.header({ ...values, directory: BigInt(last.directory), ...footer });
  }
  sink.marker(0, MarkerType.endOfStream);
  const bytes = sink.bytes;
  const view = new DataView(bytes.buffer);
  for (let n = 0; n < tables; n++) {
    view.setUint32(last.directory * SECTOR + 4 * n, last.tables + n, true);
  }
  for (const [n, entry] of entries.entries()) {
    const table = last.tables + Math.floor(n / TABLE_ENTRIES);
    view.setUint32(table * SECTOR + 4 * (n % TABLE_ENTRIES), entry, true);
  }
  const markers = entries.filter((entry) => entry > 0).map((entry) => entry * SECTOR);
  return { bytes, table: last.tables * SECTOR, markers };
}

/** In sectors. */
interface Places {
  tables: number;
  directory: number;
}

/** Sectors where the grains are. */
function putGrains(sink: Sink, { grains, markers = new Map() }: StreamParts): number[] {
  return grains.map((grain, n) => {
    if (grain === undefined) return 0;
    const { sector } = sink;
    const packed = deflateSync(grain);
    const bytes = new Uint8Array(GRAIN_MARKER_BYTES + packed.length);
    const view = new DataView(bytes.buffer);
    const marker = markers.get(n) ?? {};
    view.setBigUint64(0, BigInt(marker.sector ?? n * GRAIN / SECTOR), true);
    view.setUint32(8, marker.size ?? packed.length, true);
    bytes.set(packed, GRAIN_MARKER_BYTES);
    sink.put(bytes);
    return sector;
  });
}

/** What is written one behind the other, each padded to whole sectors. */
class Sink {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  get sector(): number {
    return this.#length / SECTOR;
  }

  put(bytes: Uint8Array, lengthBytes = Math.ceil(bytes.length / SECTOR) * SECTOR): void {
    const padded = new Uint8Array(lengthBytes);
    padded.set(bytes);
    this.#pieces.push(padded);
    this.#length += lengthBytes;
  }

  header(values: HeaderValues): void {
    const bytes = new Uint8Array(SECTOR);
    HOSTED_HEADER.write(new DataView(bytes.buffer), 0, values);
    this.put(bytes);
  }

  marker(value: number, type: number): void {
    const bytes = new Uint8Array(SECTOR);
    MARKER.write(new DataView(bytes.buffer), 0, { value: BigInt(value), size: 0, type });
    this.put(bytes);
  }

  get bytes(): Bytes {
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const piece of this.#pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }
}
