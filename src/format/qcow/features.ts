/**
 * What an image may need to be read, and what of that this driver has.
 *
 * @module
 */
import { isKnownCompression } from "./compression.ts";
import { damaged, unsupported } from "./errors.ts";
import { type ExtensionArea, incompatibleFeatureNames } from "./extensions.ts";
import {
  AUTOCLEAR_RAW_EXTERNAL_DATA,
  CompressionType,
  CryptMethod,
  Incompatible,
} from "./layout.ts";

/** The header fields that say how the rest of the file is to be read. */
export interface Features {
  readonly incompatible: bigint;
  readonly autoclear: bigint;
  readonly compressionType: number;
  readonly cryptMethod: number;
}

const KNOWN_CRYPT_METHODS: readonly number[] = Object.values(CryptMethod);

const KNOWN = Object.values(Incompatible).reduce((bits, bit) => bits | bit, 0n);

/**
 * Refuses what this driver cannot read. A dirty image is fine: only its reference counts, which
 * reading does not need, may be wrong.
 *
 * @throws {UnsupportedFeatureError} naming the feature
 * @throws {ImageFormatError} if its features contradict each other
 */
export function refuseUnsupported(features: Features, area: ExtensionArea): void {
  refuseUnknownBits(features.incompatible, area);
  refuseContradictions(features, area.path);
  const missing = missingFeature(features);
  if (missing !== undefined) throw unsupported(area.path, missing);
}

/** @throws {UnsupportedFeatureError} if there are incompatible features nobody here knows */
export function refuseUnknownBits(incompatible: bigint, area: ExtensionArea): void {
  const unknown = incompatible & ~KNOWN;
  if (unknown === 0n) return;
  const names = incompatibleFeatureNames(area);
  const described = bitNumbers(unknown).map((bit) => {
    const name = names.get(bit);
    return name ? `${bit} (${name})` : `${bit}`;
  });
  const bits = described.length === 1 ? "bit" : "bits";
  throw unsupported(area.path, `unknown incompatible feature ${bits} ${described.join(", ")}`);
}

/** The same contradictions as qemu refuses. */
function refuseContradictions(features: Features, path: string): void {
  const { incompatible, autoclear, compressionType } = features;
  const marked = (incompatible & Incompatible.compressionType) !== 0n;
  if (marked !== (compressionType !== CompressionType.zlib)) {
    throw damaged(path, `compression type ${compressionType} contradicts the feature bits`);
  }
  if (
    (autoclear & AUTOCLEAR_RAW_EXTERNAL_DATA) && !(incompatible & Incompatible.externalDataFile)
  ) {
    throw damaged(path, "the image claims a raw external data file, but has none");
  }
}

function missingFeature(features: Features): string | undefined {
  const { compressionType, cryptMethod } = features;
  if (!KNOWN_CRYPT_METHODS.includes(cryptMethod)) return `encryption method ${cryptMethod}`;
  if (!isKnownCompression(compressionType)) return `compression type ${compressionType}`;
  return undefined;
}

function bitNumbers(bits: bigint): number[] {
  const numbers: number[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if (bits & (1n << BigInt(bit))) numbers.push(bit);
  }
  return numbers;
}
