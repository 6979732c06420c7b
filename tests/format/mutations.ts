/**
 * Changes to images of which each may make them damaged, hostile, or something else that is valid.
 *
 * @module
 */
import type { FieldType } from "../../src/format/kit/record.ts";

/** Numbers from 0 up to 1. */
export type Random = () => number;
export type Bytes = Uint8Array<ArrayBuffer>;

/** A structure of an image whose fields are worth changing. */
export interface Structure {
  readonly start: number;
  readonly types: Readonly<Record<string, FieldType>>;
  readonly offsets: Readonly<Record<string, number>>;
}

/** A valid image, and what of it is worth changing. */
export interface Original {
  readonly bytes: Bytes;
  readonly structures: readonly Structure[];
  /** Offsets of entries of 8 bytes in tables, or of two of 4 bytes. */
  readonly entries: readonly number[];
  /** Whether numbers begin with their lowest byte. */
  readonly littleEndian?: boolean;
  /** Where the metadata at the file's start end. */
  readonly headBytes: number;
}

const NASTY: readonly bigint[] = [
  0n,
  1n,
  2n,
  3n,
  7n,
  8n,
  9n,
  21n,
  22n,
  31n,
  32n,
  63n,
  64n,
  104n,
  105n,
  511n,
  512n,
  513n,
  4096n,
  0xffffn,
  0x10000n,
  0x7fffffffn,
  0x80000000n,
  0xfffffe00n,
  0xffffffffn,
  1n << 32n,
  1n << 40n,
  (1n << 53n) - 512n,
  1n << 53n,
  (1n << 53n) + 512n,
  1n << 55n,
  1n << 56n,
  1n << 61n,
  1n << 62n,
  1n << 63n,
  (1n << 63n) - 1n,
  (1n << 64n) - 512n,
  (1n << 64n) - 1n,
];

/** A change; returns the image, cut off or not. */
type Mutation = (bytes: Bytes, original: Original, random: Random) => Bytes;

const MUTATIONS: readonly Mutation[] = [
  field,
  field,
  headByte,
  tableEntry,
  tableEntry,
  tableBit,
  tableBit,
  anyByte,
  truncation,
];

/** The image with up to three changes. */
export function mutated(original: Original, random: Random): Bytes {
  let bytes = original.bytes.slice();
  for (let count = 1 + Math.floor(random() * 3); count > 0; count--) {
    bytes = pick(MUTATIONS, random)(bytes, original, random);
  }
  return bytes;
}

function field(bytes: Bytes, { structures, littleEndian }: Original, random: Random): Bytes {
  const { start, types, offsets } = pick(structures, random);
  const [name, type] = pick(Object.entries(types), random);
  const at = start + (offsets[name] ?? 0);
  if (at + 8 > bytes.length) return bytes;
  const view = new DataView(bytes.buffer);
  const value = pick(NASTY, random);
  if (type === "u64") view.setBigUint64(at, value, littleEndian);
  else if (type === "u32") view.setUint32(at, Number(value & 0xffffffffn), littleEndian);
  else if (type === "u16") view.setUint16(at, Number(value & 0xffffn), littleEndian);
  else view.setUint8(at, Number(value & 0xffn));
  return bytes;
}

function headByte(bytes: Bytes, { headBytes }: Original, random: Random): Bytes {
  return setByte(bytes, Math.floor(random() * headBytes), random);
}

function anyByte(bytes: Bytes, _: Original, random: Random): Bytes {
  return setByte(bytes, Math.floor(random() * bytes.length), random);
}

function setByte(bytes: Bytes, at: number, random: Random): Bytes {
  if (at < bytes.length) bytes[at] = random() * 256;
  return bytes;
}

function tableEntry(bytes: Bytes, { entries, littleEndian }: Original, random: Random): Bytes {
  const at = pick(entries, random);
  if (at + 8 > bytes.length) return bytes;
  const entry = pick(NASTY, random) | (random() < 0.5 ? 0n : pick(NASTY, random));
  new DataView(bytes.buffer).setBigUint64(at, entry, littleEndian);
  return bytes;
}

function tableBit(bytes: Bytes, { entries }: Original, random: Random): Bytes {
  const at = pick(entries, random);
  if (at + 8 > bytes.length) return bytes;
  const view = new DataView(bytes.buffer);
  const bit = 1n << BigInt(Math.floor(random() * 64));
  view.setBigUint64(at, view.getBigUint64(at) ^ bit);
  return bytes;
}

function truncation(bytes: Bytes, _: Original, random: Random): Bytes {
  const lengthBytes = Math.floor((random() < 0.5 ? random() : random() ** 8) * bytes.length);
  return bytes.slice(0, lengthBytes);
}

/** One of `choices`. */
export function pick<T>(choices: readonly T[], random: Random): T {
  const choice = choices[Math.floor(random() * choices.length)];
  if (choice === undefined) throw new Error("nothing to choose from");
  return choice;
}
