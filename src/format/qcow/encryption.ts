/**
 * Encrypted clusters (specification, "Data encryption"). Metadata are never encrypted, and neither
 * are compressed clusters, which qemu does not make in encrypted images.
 *
 * @module
 */
import { type CipherSpec, SectorCipher } from "../../crypt/sector_cipher.ts";
import type { OpenOptions } from "../../image/driver.ts";
import { SecretError } from "../../image/errors.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import type { KeyRing } from "../../image/key_ring.ts";
import { type HeaderArea, readHeader as readLuksHeader } from "../luks/header.ts";
import { makeSecret, secretBytes, type SecretPlace } from "../../sys/secret.ts";
import { HEADER_BYTES as LUKS_HEADER_BYTES } from "../luks/layout.ts";
import { unlock } from "../luks/unlock.ts";
import { damaged, hex } from "./errors.ts";
import type { HeaderExtensions } from "./extensions.ts";
import type { Header } from "./header_types.ts";
import { CryptMethod, ENCRYPTION_HEADER, ExtensionType } from "./layout.ts";

/** How the clusters of an image are decrypted. */
export interface Encryption {
  /** Undefined where only the map of the image is wanted. */
  readonly cipher: SectorCipher | undefined;
  /** Whether the cipher counts from the start of the file rather than of the disk. */
  readonly countsHostOffsets: boolean;
}

/** The legacy method: the passphrase itself is the key. Nothing tells whether it is the right one. */
const LEGACY_CIPHER: CipherSpec = { mode: "cbc", iv: "plain64", ivHash: "", keyBytes: 16 };
const LEGACY_KEY_NAME = "qcow-aes";

/**
 * How the clusters of an image are encrypted, if they are. It is unlocked if more than its map is
 * wanted.
 *
 * @throws {ImageFormatError | UnsupportedFeatureError} if there is no valid LUKS header
 * @throws {SecretError} if there is no passphrase, or one that does not fit
 */
export function openEncryption(
  file: ImageFile,
  header: Header,
  options: OpenOptions,
): Encryption | undefined {
  switch (header.cryptMethod) {
    case CryptMethod.none:
      return undefined;
    case CryptMethod.aes:
      return openLegacyEncryption(file, options);
    default: {
      if (options.mapOnly) return { cipher: undefined, countsHostOffsets: true };
      const area = luksArea(file, header);
      const cipher = unlock(readLuksHeader(area), area, options.keys);
      return { cipher, countsHostOffsets: true };
    }
  }
}

/** The legacy method: see {@link openEncryption}. */
export function openLegacyEncryption(
  file: ImageFile,
  { keys, mapOnly }: Pick<OpenOptions, "keys" | "mapOnly">,
): Encryption {
  const cipher = mapOnly
    ? undefined
    : new SectorCipher(LEGACY_CIPHER, secretBytes(legacyKey(file, keys)));
  return { cipher, countsHostOffsets: false };
}

/** The first 16 bytes, up to a NUL, zeros following them: as qemu does. */
function legacyKey({ path }: ImageFile, keys: KeyRing | undefined): SecretPlace {
  const known = keys?.volumeKeys.get(LEGACY_KEY_NAME);
  if (known !== undefined) return known;
  if (keys?.passphrase === undefined) throw new SecretError(path, "missing");
  const { passphrase } = keys;
  const end = passphrase.indexOf(0);
  const key = makeSecret(LEGACY_CIPHER.keyBytes);
  const characters = passphrase.subarray(0, end < 0 ? undefined : end);
  secretBytes(key).set(characters.subarray(0, key.lengthBytes));
  keys.volumeKeys.set(LEGACY_KEY_NAME, key);
  return key;
}

/** What tells where the LUKS header of an image lies. */
interface LuksImage {
  readonly extensions: HeaderExtensions;
  readonly clusterBytes: number;
}

/**
 * Where the LUKS header of an image lies.
 *
 * @throws {ImageFormatError} if it is not in the file
 */
export function luksArea(file: ImageFile, image: LuksImage): HeaderArea {
  const { offset, length } = luksPlace(file, image);
  if (length < BigInt(LUKS_HEADER_BYTES) || offset + length > BigInt(file.sizeBytes)) {
    throw damaged(file.path, `the encryption header at ${hex(offset)} is not in the file`);
  }
  return { file, startBytes: Number(offset), sizeBytes: Number(length) };
}

/**
 * Where the LUKS header of an image is said to lie, in the file or not.
 *
 * @throws {ImageFormatError} if that is not said, or is no place where a cluster begins
 */
export function luksPlace(
  { path }: ImageFile,
  image: LuksImage,
): { readonly offset: bigint; readonly length: bigint } {
  const found = image.extensions.kept.get(ExtensionType.encryptionHeader);
  if (found === undefined) throw damaged(path, "there is no encryption header");
  if (found.length !== ENCRYPTION_HEADER.sizeBytes) {
    throw damaged(path, "the place of the encryption header is not valid");
  }
  const { offset, length } = ENCRYPTION_HEADER.read(new DataView(found.buffer), 0);
  if (offset % BigInt(image.clusterBytes) !== 0n) {
    throw damaged(path, `the encryption header at ${hex(offset)} is not aligned`);
  }
  return { offset, length };
}
