/**
 * What a QCOW2 image says of itself. Keys and values are those of qemu (QAPI,
 * `ImageInfoSpecificQCow2`).
 *
 * @module
 */
import type { MemoryLimit } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { exact } from "../../image/exact.ts";
import type { ImageInfo, SpecificInfo } from "../../image/info.ts";
import { readHeader } from "../luks/header.ts";
import { luksInfo } from "../luks/info.ts";
import { luksArea } from "./encryption.ts";
import { extensionText, type HeaderExtensions, readExtensions } from "./extensions.ts";
import { refuseUnknownBits } from "./features.ts";
import {
  checkBackingName,
  checkUnusedTables,
  diskSize,
  extensionArea,
  parseAllFields,
  readSource,
  snapshotTable,
} from "./header.ts";
import type { Fields, FieldsV3 } from "./header_types.ts";
import {
  AUTOCLEAR_RAW_EXTERNAL_DATA,
  COMPATIBLE_LAZY_REFCOUNTS,
  CompressionType,
  CryptMethod,
  ExtensionType,
  Incompatible,
} from "./layout.ts";
import { listSnapshots } from "./snapshots/read.ts";
import { backingOf } from "./names.ts";

/**
 * Describes the image in `file`, be it readable here or not.
 *
 * @throws {ImageFormatError} if its header is damaged
 * @throws {UnsupportedFeatureError} if it has incompatible features that are not known
 * @throws {RangeError} if what it says takes more than `memory` has left
 */
export function describe(file: ImageFile, memory?: MemoryLimit): ImageInfo {
  const source = readSource(file);
  const { fields, more } = parseAllFields(source);
  checkBackingName(fields, source.path);
  const area = extensionArea(fields, more, source);
  refuseUnknownBits(more.incompatible_features, area);
  const extensions = readExtensions(area);
  const backing = backingOf(fields, source, extensions);
  checkUnusedTables(fields, more, source.path);
  const snapshots = listSnapshots(file, snapshotTable(fields), memory);
  return {
    format: "qcow2",
    sizeBytes: exact(diskSize(fields)),
    clusterBytes: 2 ** fields.cluster_bits,
    dirty: (more.incompatible_features & Incompatible.dirty) !== 0n,
    ...(fields.crypt_method === CryptMethod.none ? {} : { encrypted: true }),
    ...(backing === undefined ? {} : { backing }),
    ...(snapshots.length === 0 ? {} : { snapshots }),
    specific: specificOf(fields, more, {
      dataFile: extensionText(extensions, ExtensionType.dataFile),
      encryption: encryptionOf(file, fields, extensions),
    }),
  };
}

interface Found {
  /** Name of the external data file, if one is recorded. */
  readonly dataFile: string | undefined;
  readonly encryption: SpecificInfo["data"];
}

function specificOf(
  fields: Fields,
  more: FieldsV3,
  { dataFile, encryption }: Found,
): SpecificInfo {
  const general = {
    "compat": fields.version === 2 ? "0.10" : "1.1",
    "compression-type": compressionName(more.compression_type),
    "refcount-bits": 2 ** more.refcount_order,
    ...encryption,
  };
  if (fields.version === 2) return { type: "qcow2", data: general };
  const { compatible_features, incompatible_features, autoclear_features } = more;
  const isExternal = (incompatible_features & Incompatible.externalDataFile) !== 0n;
  const data = {
    ...general,
    "lazy-refcounts": (compatible_features & COMPATIBLE_LAZY_REFCOUNTS) !== 0n,
    "corrupt": (incompatible_features & Incompatible.corrupt) !== 0n,
    "extended-l2": (incompatible_features & Incompatible.extendedL2) !== 0n,
    ...(isExternal && dataFile !== undefined ? { "data-file": dataFile } : {}),
    ...(isExternal
      ? { "data-file-raw": (autoclear_features & AUTOCLEAR_RAW_EXTERNAL_DATA) !== 0n }
      : {}),
  };
  return { type: "qcow2", data };
}

function compressionName(type: number): string {
  if (type === CompressionType.zlib) return "zlib";
  return type === CompressionType.zstd ? "zstd" : String(type);
}

function encryptionOf(
  file: ImageFile,
  { crypt_method: method, cluster_bits }: Fields,
  extensions: HeaderExtensions,
): SpecificInfo["data"] {
  if (method === CryptMethod.none) return {};
  if (method === CryptMethod.aes) return { encrypt: { format: "aes" } };
  if (method !== CryptMethod.luks) return { encrypt: { format: String(method) } };
  const image = { extensions, clusterBytes: 2 ** cluster_bits };
  return { encrypt: { format: "luks", ...luksInfo(readHeader(luksArea(file, image))) } };
}
