/**
 * Small valid images, each with every kind of cluster of one feature, and what of them is worth
 * changing.
 *
 * @module
 */
import { deflateRawSync, zstdCompressSync } from "node:zlib";
import { HEADER as LUKS_HEADER } from "../../../src/format/luks/layout.ts";
import {
  CompressionType,
  CryptMethod,
  ENCRYPTION_HEADER,
  EXTENSION,
  ExtensionType,
  HEADER,
  HEADER_V3,
  HEADER_V3_BYTES,
  Incompatible,
  SNAPSHOT,
  SNAPSHOT_EXTRA,
} from "../../../src/format/qcow/layout.ts";
import { HEADER as HEADER_V1 } from "../../../src/format/qcow1/layout.ts";
import type { RecordLayout } from "../../../src/format/kit/record.ts";
import type { Original, Structure } from "../mutations.ts";
import { buildVolume } from "../luks/volume_builder.ts";
import { buildVersion1 } from "../qcow1/image_builder.ts";
import { buildImage, featureNames, type Parts, put } from "./image_builder.ts";

const COMPRESSED = 1n << 62n;
/** Clusters of these tables, and how many entries of each are worth changing. */
const L1_CLUSTER = 1;
const L2_CLUSTER = 2;
const ENTRIES = 8;
const FILE_CLUSTERS = 7;

function structure(
  start: number,
  layout: Pick<RecordLayout<Structure["types"]>, "types" | "offsets">,
): Structure {
  return { start, types: layout.types, offsets: layout.offsets };
}

/** Headers twice: their fields decide about all the rest. */
function headers(version: number): Structure[] {
  const header = structure(0, HEADER);
  const more = version === 2
    ? structure(HEADER.sizeBytes, EXTENSION)
    : structure(HEADER.sizeBytes, HEADER_V3);
  return [header, header, more, structure(HEADER_V3_BYTES, EXTENSION)];
}

function tableEntries(
  clusterBits: number,
  clusters = [L1_CLUSTER, L2_CLUSTER, L2_CLUSTER],
): number[] {
  return clusters.flatMap((cluster) =>
    Array.from({ length: ENTRIES }, (_, index) => cluster * 2 ** clusterBits + index * 8)
  );
}

function original(clusterBits: number, parts: Parts, more: Partial<Original> = {}): Original {
  const version = Number(parts.header?.version ?? 3);
  return {
    bytes: buildImage({ clusterBits, fileClusters: FILE_CLUSTERS, ...parts }),
    structures: headers(version),
    entries: tableEntries(clusterBits),
    headBytes: HEADER_V3_BYTES + 8,
    ...more,
  };
}

/** What compressed clusters hold. */
function content(clusterBits: number): Uint8Array {
  return new Uint8Array(2 ** clusterBits).fill(65, 100);
}

/** Where a compressed cluster is. */
function compressedPlace(clusterBits: number): number {
  return 5 * 2 ** clusterBits + 13;
}

function withStored(made: Original, clusterBits: number, stored: Uint8Array): Original {
  made.bytes.set(stored, compressedPlace(clusterBits));
  return made;
}

const EXTENSIONS = [
  { type: 0x11223344, data: new Uint8Array(12) },
  { type: ExtensionType.featureNameTable, data: featureNames([{ type: 0, bit: 7, name: "x" }]) },
];

function standardEntries(clusterBits: number, version = 3): bigint[] {
  const host = (cluster: number): bigint => BigInt(cluster * 2 ** clusterBits);
  const zero = version === 3 ? 1n : 0n;
  const compressed = COMPRESSED | BigInt(compressedPlace(clusterBits));
  return [host(3), host(4), 0n, zero, compressed, host(6), host(100)];
}

export function standardOriginal(clusterBits: number, version: number): Original {
  const l2 = standardEntries(clusterBits, version);
  const parts = { header: { version }, l2, extensions: EXTENSIONS };
  const stored = deflateRawSync(content(clusterBits));
  return withStored(original(clusterBits, parts), clusterBits, stored);
}

export function zstdOriginal(clusterBits: number): Original {
  const made = original(clusterBits, {
    headerV3: { incompatible_features: Incompatible.compressionType },
    compressionType: CompressionType.zstd,
    l2: standardEntries(clusterBits),
    extensions: EXTENSIONS,
  });
  const stored = zstdCompressSync(content(clusterBits));
  // the frame's header and its first block's
  const place = compressedPlace(clusterBits);
  const entries = [...made.entries, place, place, place + 4, place + 8];
  return withStored({ ...made, entries }, clusterBits, stored);
}

export function extendedOriginal(clusterBits: number): Original {
  const host = (cluster: number): bigint => BigInt(cluster * 2 ** clusterBits);
  const all = 0xffff_ffffn;
  const compressed = COMPRESSED | BigInt(compressedPlace(clusterBits));
  const l2 = [host(3), all, host(4), (0xff00n << 32n) | 0xffn, 0n, all << 32n, compressed, 0n];
  const headerV3 = { incompatible_features: Incompatible.extendedL2 };
  const stored = deflateRawSync(content(clusterBits));
  return withStored(original(clusterBits, { headerV3, l2 }), clusterBits, stored);
}

/** Two snapshots, `first` and `second`, over the L1 table of the active disk. */
export function snapshotOriginal(clusterBits: number): Original {
  const table = 6 * 2 ** clusterBits;
  const header = { nb_snapshots: 2, snapshots_offset: table };
  const made = original(clusterBits, { header, l2: standardEntries(clusterBits) });
  const view = new DataView(made.bytes.buffer);
  const structures: Structure[] = [...made.structures];
  let at = table;
  made.bytes.fill(0, table, table + 256);
  for (const name of ["first", "second"]) {
    structures.push(structure(at, SNAPSHOT), structure(at + SNAPSHOT.sizeBytes, SNAPSHOT_EXTRA));
    put(view, at, SNAPSHOT, {
      l1_table_offset: L1_CLUSTER * 2 ** clusterBits,
      l1_size: 1,
      id_str_size: 1,
      name_size: name.length,
      extra_data_size: SNAPSHOT_EXTRA.sizeBytes,
    });
    at += SNAPSHOT.sizeBytes;
    put(view, at, SNAPSHOT_EXTRA, { disk_size: 20 * 2 ** clusterBits });
    at += SNAPSHOT_EXTRA.sizeBytes;
    made.bytes.set(new TextEncoder().encode(`1${name}`), at);
    at = Math.ceil((at + 1 + name.length) / 8) * 8;
  }
  return { ...made, structures };
}

export function version1Original(): Original {
  const clusterBits = 12;
  const host = (cluster: number): bigint => BigInt(cluster * 2 ** clusterBits);
  const stored = deflateRawSync(content(clusterBits));
  const place = compressedPlace(clusterBits);
  const compressed = (1n << 63n) | BigInt(stored.length) << 51n | BigInt(place);
  const l2 = [host(3), host(4), 0n, compressed, host(6) + 512n, host(100)];
  const header = structure(0, HEADER_V1);
  return {
    bytes: buildVersion1({ l2, at: [[place, stored]] }),
    structures: [header],
    entries: tableEntries(clusterBits),
    headBytes: HEADER_V1.sizeBytes,
  };
}

/** The legacy method: whatever is a cluster can be decrypted. */
export function aesOriginal(clusterBits: number): Original {
  const header = { crypt_method: CryptMethod.aes };
  return original(clusterBits, { header, l2: standardEntries(clusterBits) });
}

/** The volume of {@link buildVolume}, its disk cut off, behind the clusters. */
export function luksOriginal(clusterBits: number): Original {
  const volume = buildVolume();
  const place = new Uint8Array(ENCRYPTION_HEADER.sizeBytes);
  const start = FILE_CLUSTERS * 2 ** clusterBits;
  put(new DataView(place.buffer), 0, ENCRYPTION_HEADER, { offset: start, length: volume.length });
  const extension = { type: ExtensionType.encryptionHeader, data: place };
  const made = original(clusterBits, {
    header: { crypt_method: CryptMethod.luks },
    extensions: [extension],
    l2: standardEntries(clusterBits),
  });
  const bytes = new Uint8Array(start + volume.length);
  bytes.set(made.bytes);
  bytes.set(volume, start);
  const places = [
    structure(HEADER_V3_BYTES + EXTENSION.sizeBytes, ENCRYPTION_HEADER),
    structure(start, LUKS_HEADER),
  ];
  return { ...made, bytes, structures: [...made.structures, ...places] };
}
