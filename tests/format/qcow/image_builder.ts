/**
 * QCOW2 files put together byte by byte, for what qemu's tools never write.
 *
 * @module
 */
import {
  EXTENDED_ENTRY_BYTES,
  EXTENSION,
  ExtensionType,
  FEATURE_NAME,
  FEATURE_NAME_TEXT_BYTES,
  HEADER,
  HEADER_V3,
  HEADER_V3_BYTES,
  MAGIC,
  TABLE_ENTRY_BYTES,
} from "../../../src/format/qcow/layout.ts";
import type { FieldType, RecordLayout } from "../../../src/format/kit/record.ts";

type Values<L> = L extends RecordLayout<infer F> ? Partial<Record<keyof F, number | bigint>>
  : never;

/** What differs from a valid, empty image of one L2 table. */
export interface Parts {
  readonly header?: Values<typeof HEADER>;
  readonly headerV3?: Values<typeof HEADER_V3>;
  readonly compressionType?: number;
  readonly extensions?: readonly { readonly type: number; readonly data: Uint8Array }[];
  readonly l1?: readonly bigint[];
  /** With extended entries, each has two values: the entry and the bitmap. */
  readonly l2?: readonly bigint[];
  readonly clusterBits?: number;
  /** Where the file ends, in clusters; data clusters begin at cluster {@link DATA_CLUSTER}. */
  readonly fileClusters?: number;
}

const L1_CLUSTER = 1;
const L2_CLUSTER = 2;
/** The first cluster that holds neither the header nor a table. */
export const DATA_CLUSTER = 3;

/** The bytes of an image: header, L1 table, L2 table, then clusters whose bytes are their number. */
export function buildImage(parts: Parts = {}): Uint8Array<ArrayBuffer> {
  const clusterBits = parts.clusterBits ?? 12;
  const clusterBytes = 2 ** clusterBits;
  const bytes = new Uint8Array((parts.fileClusters ?? 8) * clusterBytes);
  const view = new DataView(bytes.buffer);
  for (let cluster = DATA_CLUSTER; cluster * clusterBytes < bytes.length; cluster++) {
    bytes.fill(cluster, cluster * clusterBytes, (cluster + 1) * clusterBytes);
  }
  putHeader(view, parts, clusterBits);
  putTable(view, L1_CLUSTER * clusterBytes, parts.l1 ?? [BigInt(L2_CLUSTER * clusterBytes)]);
  putTable(view, L2_CLUSTER * clusterBytes, parts.l2 ?? []);
  return bytes;
}

function putHeader(view: DataView, parts: Parts, clusterBits: number): void {
  const clusterBytes = 2 ** clusterBits;
  const isExtended = (BigInt(parts.headerV3?.incompatible_features ?? 0) & 16n) !== 0n;
  put(view, 0, HEADER, {
    magic: MAGIC,
    version: 3,
    cluster_bits: clusterBits,
    size: clusterBytes * (clusterBytes / (isExtended ? EXTENDED_ENTRY_BYTES : TABLE_ENTRY_BYTES)),
    l1_size: 1,
    l1_table_offset: L1_CLUSTER * clusterBytes,
    refcount_table_offset: clusterBytes,
    refcount_table_clusters: 1,
    ...parts.header,
  });
  if (parts.header?.version === 2) return;
  const additional = parts.compressionType === undefined ? 0 : 8;
  const header_length = HEADER_V3_BYTES + additional;
  put(view, HEADER.sizeBytes, HEADER_V3, { refcount_order: 4, header_length, ...parts.headerV3 });
  if (parts.compressionType !== undefined) view.setUint8(HEADER_V3_BYTES, parts.compressionType);
  let at = header_length;
  for (const { type, data } of parts.extensions ?? []) {
    put(view, at, EXTENSION, { type, length: data.length });
    new Uint8Array(view.buffer).set(data, at + EXTENSION.sizeBytes);
    at += EXTENSION.sizeBytes + Math.ceil(data.length / 8) * 8;
  }
}

/** Writes the given fields of a structure at `position`. */
export function put<F extends Readonly<Record<string, FieldType>>>(
  view: DataView,
  position: number,
  layout: RecordLayout<F>,
  values: Partial<Record<keyof F, number | bigint>>,
): void {
  for (const [name, value] of Object.entries(values)) {
    const at = position + layout.offsets[name as keyof F];
    const type = layout.types[name as keyof F];
    if (type === "u64") view.setBigUint64(at, BigInt(value as bigint));
    else if (type === "u32") view.setUint32(at, Number(value));
    else if (type === "u16") view.setUint16(at, Number(value));
    else view.setUint8(at, Number(value));
  }
}

function putTable(view: DataView, position: number, entries: readonly bigint[]): void {
  entries.forEach((entry, index) => view.setBigUint64(position + index * TABLE_ENTRY_BYTES, entry));
}

/** Data of a feature name table. */
export function featureNames(
  names: readonly { readonly type: number; readonly bit: number; readonly name: string }[],
): Uint8Array<ArrayBuffer> {
  const entryBytes = FEATURE_NAME.sizeBytes + FEATURE_NAME_TEXT_BYTES;
  const table = new Uint8Array(names.length * entryBytes);
  names.forEach(({ type, bit, name }, index) => {
    put(new DataView(table.buffer), index * entryBytes, FEATURE_NAME, { type, bit });
    table.set(new TextEncoder().encode(name), index * entryBytes + FEATURE_NAME.sizeBytes);
  });
  return table;
}

/** Where {@link buildNamingImage} puts the backing file's name: after header and extensions. */
const NAME_OFFSET = 2048;
/** Bits of {@link HEADER_V3}. */
const EXTERNAL_DATA_FILE = 4;

/** The bytes of an image that names other files. */
export function buildNamingImage(
  names: {
    readonly backing?: string | Uint8Array;
    readonly backingFormat?: string;
    readonly dataFile?: string;
  },
  parts: Parts = {},
): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder();
  const { backing = "", backingFormat, dataFile } = names;
  const name = typeof backing === "string" ? text.encode(backing) : backing;
  const extensions = [
    ...backingFormat === undefined
      ? []
      : [{ type: ExtensionType.backingFormat, data: text.encode(backingFormat) }],
    ...dataFile === undefined
      ? []
      : [{ type: ExtensionType.dataFile, data: text.encode(dataFile) }],
  ];
  const bytes = buildImage({
    ...parts,
    header: {
      ...name.length === 0
        ? {}
        : { backing_file_offset: NAME_OFFSET, backing_file_size: name.length },
      ...parts.header,
    },
    headerV3: {
      incompatible_features: dataFile === undefined ? 0 : EXTERNAL_DATA_FILE,
      ...parts.headerV3,
    },
    extensions,
  });
  bytes.set(name, NAME_OFFSET);
  return bytes;
}
