/**
 * From a passphrase to the key of the disk.
 *
 * @module
 */
import { digest, nodeCrypto } from "../../crypt/node_crypto.ts";
import { SectorCipher } from "../../crypt/sector_cipher.ts";
import { SecretError } from "../../image/errors.ts";
import { type KeyRing, MAX_ROUNDS_OF_CHAIN } from "../../image/key_ring.ts";
import { IoBuffer } from "../../sys/memory.ts";
import { forgetSecret, makeSecret, secretBytes, type SecretPlace } from "../../sys/secret.ts";
import { unsupported } from "./errors.ts";
import { type HeaderArea, type KeySlot, type LuksHeader, roundsOf } from "./header.ts";
import { SECTOR_BYTES } from "./layout.ts";

const INDEX_BYTES = 4;

/**
 * The cipher of the disk whose header lies in `area`.
 *
 * @throws {SecretError} if there is no passphrase, or one that fits no slot
 * @throws {UnsupportedFeatureError} if the images of the chain take too much work
 * @throws {SystemError} if the key material cannot be read
 */
export function unlock(
  header: LuksHeader,
  area: HeaderArea,
  keys: KeyRing | undefined,
): SectorCipher {
  return new SectorCipher(header.cipher, secretBytes(volumeKey(header, area, keys)));
}

function volumeKey(header: LuksHeader, area: HeaderArea, keys: KeyRing | undefined): SecretPlace {
  const { path } = area.file;
  const name = hexOf(header.digest) + hexOf(header.digestSalt);
  const known = keys?.volumeKeys.get(name);
  if (known?.lengthBytes === header.cipher.keyBytes) return known;
  if (keys?.passphrase === undefined) throw new SecretError(path, "missing");
  for (const slot of header.slots) {
    if (!slot.isActive) continue;
    takeRounds(roundsOf(slot, header), keys, path);
    const key = tryToOpen(slot, keys.passphrase, { header, area });
    if (key === undefined) continue;
    keys.volumeKeys.set(name, key);
    return key;
  }
  throw new SecretError(path, "wrong", keys.passphrase);
}

/** Each of some hundred images below each other could take minutes. */
function takeRounds(rounds: number, keys: KeyRing, path: string): void {
  keys.rounds += rounds;
  if (keys.rounds <= MAX_ROUNDS_OF_CHAIN) return;
  throw unsupported(path, "more key derivation than all images of a chain may take");
}

/** The volume key, if `passphrase` is this slot's (specification, "Master Key recovery"). */
function tryToOpen(
  slot: KeySlot,
  passphrase: Uint8Array,
  { header, area }: { readonly header: LuksHeader; readonly area: HeaderArea },
): SecretPlace | undefined {
  const { cipher, hash } = header;
  const { pbkdf2Sync } = nodeCrypto();
  const slotKey = pbkdf2Sync(passphrase, slot.salt, slot.iterations, cipher.keyBytes, hash);
  const material = readMaterial(slot, cipher.keyBytes, area);
  using materialCipher = new SectorCipher(cipher, slotKey);
  materialCipher.decrypt(material, 0);
  slotKey.fill(0);
  const key = makeSecret(cipher.keyBytes);
  merge(material, secretBytes(key), { hash, stripes: slot.stripes });
  material.fill(0);
  if (isVolumeKey(secretBytes(key), header)) return key;
  forgetSecret(key);
  return undefined;
}

/** Whole sectors: with keys of 192 bits, the last one is not filled. */
function readMaterial(slot: KeySlot, keyBytes: number, area: HeaderArea): Uint8Array {
  const lengthBytes = Math.ceil(keyBytes * slot.stripes / SECTOR_BYTES) * SECTOR_BYTES;
  const material = new IoBuffer(lengthBytes);
  area.file.read(material, 0, area.startBytes + slot.materialOffsetBytes, lengthBytes);
  return material.bytes;
}

function isVolumeKey(key: Uint8Array, header: LuksHeader): boolean {
  const { digest, digestSalt, digestIterations, hash } = header;
  const { pbkdf2Sync, timingSafeEqual } = nodeCrypto();
  return timingSafeEqual(
    pbkdf2Sync(key, digestSalt, digestIterations, digest.length, hash),
    digest,
  );
}

/** How a key was spread over stripes, any of which destroys it when it is wiped. */
interface Stripes {
  readonly hash: string;
  readonly stripes: number;
}

/**
 * Puts the key together that was spread over `material` (specification, "Anti-forensic splitting").
 *
 * @param key where to; all zero
 */
function merge(material: Uint8Array, key: Uint8Array, { hash, stripes }: Stripes): void {
  const diffuser = new Diffuser(hash);
  const keyBytes = key.length;
  for (let stripe = 0; stripe < stripes; stripe++) {
    const start = stripe * keyBytes;
    for (let i = 0; i < keyBytes; i++) key[i] = (key[i] ?? 0) ^ (material[start + i] ?? 0);
    if (stripe < stripes - 1) diffuser.diffuse(key);
  }
}

/** Replaces each digest-sized piece of a key by its hash, the pieces being numbered. */
class Diffuser {
  readonly #hash: string;
  readonly #createHash = nodeCrypto().createHash;
  readonly #hashBytes: number;
  /** Number and bytes of a piece. */
  readonly #piece: Uint8Array;

  constructor(hash: string) {
    this.#hash = hash;
    this.#hashBytes = digest(hash).length;
    this.#piece = new Uint8Array(INDEX_BYTES + this.#hashBytes);
  }

  diffuse(key: Uint8Array): void {
    for (let at = 0, number = 0; at < key.length; at += this.#hashBytes, number++) {
      const length = Math.min(this.#hashBytes, key.length - at);
      // Keys are short: their pieces can be counted in one byte.
      this.#piece[INDEX_BYTES - 1] = number;
      for (let i = 0; i < length; i++) this.#piece[INDEX_BYTES + i] = key[at + i] ?? 0;
      const input = this.#piece.subarray(0, INDEX_BYTES + length);
      const hashed = this.#createHash(this.#hash).update(input).digest();
      for (let i = 0; i < length; i++) key[at + i] = hashed[i] ?? 0;
    }
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
