/**
 * The header of a LUKS volume: parsed, and every value checked that unlocking relies on.
 *
 * @module
 */
import { digest } from "../../crypt/node_crypto.ts";
import { type CipherSpec, parseCipher } from "../../crypt/sector_cipher.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { IoBuffer, textOf } from "../../sys/memory.ts";
import { damaged, unsupported } from "./errors.ts";
import {
  HEADER,
  HEADER_BYTES,
  KEY_SLOT,
  KEY_SLOTS,
  MAGIC_BYTES,
  SECTOR_BYTES,
  SlotState,
  VERSION,
} from "./layout.ts";

/** Where a header and its key material lie: at the start of the file, or inside a QCOW2 image. */
export interface HeaderArea {
  readonly file: ImageFile;
  readonly startBytes: number;
  /** From the start on: the header and the material of all its slots lie within. */
  readonly sizeBytes: number;
}

/** A slot: one passphrase opens it, if it is in use. Else nothing but its place is checked. */
export interface KeySlot {
  readonly isActive: boolean;
  readonly iterations: number;
  readonly salt: Uint8Array;
  /** Offset from the start of the area. */
  readonly materialOffsetBytes: number;
  readonly stripes: number;
}

/** What a valid header says. */
export interface LuksHeader {
  readonly cipher: CipherSpec;
  /** Of PBKDF2 and the key material: a name that node:crypto knows. */
  readonly hash: string;
  /** Offset of the disk from the start of the area. */
  readonly payloadOffsetBytes: number;
  readonly digest: Uint8Array;
  readonly digestSalt: Uint8Array;
  readonly digestIterations: number;
  readonly uuid: string;
  readonly slots: readonly KeySlot[];
}

/** What LUKS1 volumes are made with (specification, "Supported hash functions"), and qemu adds. */
const HASHES: readonly string[] = [
  "sha1",
  "sha256",
  "sha512",
  "ripemd160",
  "sha224",
  "sha384",
  "md5",
];

/** More stripes than anybody makes: the specification recommends 4000, and everybody takes them. */
const MAX_STRIPES = 65536;
/**
 * Rounds of the hash function that all slots may ask for together: some minutes of work. What asks
 * for more was not made to be opened.
 */
const MAX_ROUNDS = 2 ** 27;

type Fields = ReturnType<typeof HEADER.read>;

/**
 * Reads and checks a header.
 *
 * @throws {ImageFormatError} if it is not a valid one
 * @throws {UnsupportedFeatureError} if it needs something this driver does not have
 * @throws {SystemError} if the file cannot be read
 */
export function readHeader(area: HeaderArea): LuksHeader {
  const { file, startBytes, sizeBytes } = area;
  const { path } = file;
  if (sizeBytes < HEADER_BYTES) throw damaged(path, "the file is too short for a LUKS header");
  const head = new IoBuffer(HEADER_BYTES);
  file.read(head, 0, startBytes, HEADER_BYTES);
  const fields = HEADER.read(head.view, 0);
  checkKind(fields, path);
  const cipher = checkedCipher(fields, path);
  const header = {
    cipher,
    hash: checkedHash(fields, path),
    payloadOffsetBytes: fields.payload_offset * SECTOR_BYTES,
    digest: fields.mk_digest,
    digestSalt: fields.mk_digest_salt,
    digestIterations: checkedIterations(fields.mk_digest_iter, path),
    uuid: textOf(fields.uuid),
    slots: readSlots(head.view, cipher, area),
  };
  checkWork(header, path);
  return header;
}

function checkKind(fields: Fields, path: string): void {
  if (!fields.magic.every((byte, index) => byte === MAGIC_BYTES[index])) {
    throw damaged(path, "this is no LUKS volume");
  }
  if (fields.version !== VERSION) throw unsupported(path, `version ${fields.version}`);
}

function checkedCipher(fields: Fields, path: string): CipherSpec {
  const { key_bytes: keyBytes } = fields;
  const name = textOf(fields.cipher_name);
  const mode = textOf(fields.cipher_mode);
  const cipher = parseCipher(name, mode, keyBytes);
  if (cipher !== undefined) return cipher;
  throw unsupported(path, `the cipher ${name}-${mode} and a key of ${keyBytes * 8} bits`);
}

function checkedHash(fields: Fields, path: string): string {
  const hash = textOf(fields.hash_spec);
  if (HASHES.includes(hash)) return hash;
  throw unsupported(path, `the hash function ${hash}`);
}

function checkedIterations(iterations: number, path: string): number {
  if (iterations > 0) return iterations;
  throw damaged(path, "a key is derived by no iteration at all");
}

function readSlots(view: DataView, cipher: CipherSpec, area: HeaderArea): KeySlot[] {
  const slots = Array.from({ length: KEY_SLOTS }, (_, number) => {
    const at = HEADER.sizeBytes + number * KEY_SLOT.sizeBytes;
    return parseSlot(view, at, { cipher, area });
  });
  if (slots.some(({ isActive }) => isActive)) return slots;
  throw damaged(area.file.path, "none of its key slots is in use");
}

function parseSlot(
  view: DataView,
  at: number,
  { cipher, area }: { readonly cipher: CipherSpec; readonly area: HeaderArea },
): KeySlot {
  const { active, iterations, salt, key_material_offset, stripes } = KEY_SLOT.read(view, at);
  const { file: { path }, startBytes } = area;
  const isActive = active === SlotState.enabled;
  const materialOffsetBytes = key_material_offset * SECTOR_BYTES;
  const slot = { isActive, iterations, salt, materialOffsetBytes, stripes };
  if (active === SlotState.disabled) return slot;
  if (!isActive) throw damaged(path, "a key slot is damaged", startBytes + at);
  if (stripes < 1 || stripes > MAX_STRIPES) {
    throw damaged(path, `a key slot has ${stripes} stripes`, startBytes + at);
  }
  checkedIterations(iterations, path);
  const end = materialOffsetBytes + cipher.keyBytes * stripes;
  if (materialOffsetBytes >= HEADER_BYTES && end <= area.sizeBytes) return slot;
  throw damaged(path, "the key material of a slot is not in the file", startBytes + at);
}

/** A passphrase that fits no slot is tried on all of them, with a digest for each. */
function checkWork(header: LuksHeader, path: string): void {
  const rounds = header.slots.filter(({ isActive }) => isActive)
    .reduce((sum, slot) => sum + roundsOf(slot, header), 0);
  if (rounds <= MAX_ROUNDS) return;
  throw unsupported(path, `key slots that take ${rounds} rounds of ${header.hash} to try`);
}

/** Rounds of the hash function that trying a passphrase on a slot takes. */
export function roundsOf({ iterations }: KeySlot, header: LuksHeader): number {
  const pieces = Math.ceil(header.cipher.keyBytes / digest(header.hash).length);
  return iterations * pieces + header.digestIterations;
}
