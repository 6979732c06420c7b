/**
 * A small LUKS volume, made without any tool: cheap to unlock, and easy to damage.
 *
 * @module
 */
import { createCipheriv, pbkdf2Sync } from "node:crypto";
import {
  HEADER,
  HEADER_BYTES,
  KEY_SLOT,
  KEY_SLOTS,
  MAGIC_BYTES,
  SECTOR_BYTES,
  SlotState,
} from "../../../src/format/luks/layout.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export const BUILT_PASSPHRASE: Uint8Array = new TextEncoder().encode("built");

const KEY_BYTES = 32;
const HASH = "sha256";
const ITERATIONS = 2;
/** One stripe is the key itself. */
const STRIPES = 1;
export const USED_SLOT = 3;
const MATERIAL_SECTOR = 2;
const PAYLOAD_SECTOR = 4;
const DISK_SECTORS = 3;

const SALT = new Uint8Array(32).fill(9);
const VOLUME_KEY = Uint8Array.from({ length: KEY_BYTES }, (_, index) => index * 7);

/** A volume of {@link DISK_SECTORS} sectors, each byte of which is 65. */
export function buildVolume(): Bytes {
  const bytes = new Uint8Array((PAYLOAD_SECTOR + DISK_SECTORS) * SECTOR_BYTES);
  writeHeader(bytes);
  const slotKey = pbkdf2Sync(BUILT_PASSPHRASE, SALT, ITERATIONS, KEY_BYTES, HASH);
  const material = new Uint8Array(SECTOR_BYTES);
  material.set(VOLUME_KEY);
  bytes.set(encrypted(slotKey, material), MATERIAL_SECTOR * SECTOR_BYTES);
  const disk = new Uint8Array(DISK_SECTORS * SECTOR_BYTES).fill(65);
  bytes.set(encrypted(VOLUME_KEY, disk), PAYLOAD_SECTOR * SECTOR_BYTES);
  return bytes;
}

function writeHeader(bytes: Bytes): void {
  const view = new DataView(bytes.buffer);
  const at = HEADER.offsets;
  const text = (offset: number, content: string): void =>
    bytes.set(new TextEncoder().encode(content), offset);
  bytes.set(MAGIC_BYTES, at.magic);
  view.setUint16(at.version, 1);
  text(at.cipher_name, "aes");
  text(at.cipher_mode, "ecb-plain64");
  text(at.hash_spec, HASH);
  text(at.uuid, "11223344");
  view.setUint32(at.payload_offset, PAYLOAD_SECTOR);
  view.setUint32(at.key_bytes, KEY_BYTES);
  bytes.set(pbkdf2Sync(VOLUME_KEY, SALT, ITERATIONS, 20, HASH), at.mk_digest);
  bytes.set(SALT, at.mk_digest_salt);
  view.setUint32(at.mk_digest_iter, ITERATIONS);
  for (let slot = 0; slot < KEY_SLOTS; slot++) writeSlot(bytes, view, slot);
}

function writeSlot(bytes: Bytes, view: DataView, slot: number): void {
  const start = HEADER.sizeBytes + slot * KEY_SLOT.sizeBytes;
  const at = KEY_SLOT.offsets;
  view.setUint32(start + at.active, slot === USED_SLOT ? SlotState.enabled : SlotState.disabled);
  view.setUint32(start + at.iterations, ITERATIONS);
  bytes.set(SALT, start + at.salt);
  view.setUint32(start + at.key_material_offset, MATERIAL_SECTOR);
  view.setUint32(start + at.stripes, STRIPES);
}

function encrypted(key: Uint8Array, plain: Uint8Array): Uint8Array {
  const cipher = createCipheriv("aes-256-ecb", key, null).setAutoPadding(false);
  const stored = cipher.update(plain);
  cipher.final();
  return stored;
}

/** Offset of the fields of slot number `slot` in the header. */
export function slotOffset(slot: number): number {
  if (slot >= KEY_SLOTS) throw new RangeError(`slot ${slot} of a header of ${HEADER_BYTES} bytes`);
  return HEADER.sizeBytes + slot * KEY_SLOT.sizeBytes;
}
