/**
 * LUKS version 1 on disk (cryptsetup, "LUKS On-Disk Format Specification 1.2.3"). All numbers are
 * big-endian, offsets count sectors of 512 bytes from the start of the header.
 *
 *     +--------+------------+-------------+-----+-------------+------------------------+
 *     | header | 8 key      | material of |     | material of | the disk, encrypted    |
 *     |        | slots      | slot 0      | ... | slot 7      | with the volume key    |
 *     +--------+------------+-------------+-----+-------------+------------------------+
 *                  key_material_offset ^                        ^ payload_offset
 *
 * Each material is the volume key, spread over `stripes` times its size and encrypted with a key
 * derived from a passphrase. In a QCOW2 image the header lies in clusters of its own, and the disk is
 * in the data clusters.
 *
 * @module
 */
import { RecordLayout } from "../kit/record.ts";

/** "LUKS\xba\xbe" */
export const MAGIC_BYTES: Uint8Array = Uint8Array.of(0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe);
export const VERSION = 1;
export const SECTOR_BYTES = 512;

/** The start of the header; {@link KEY_SLOTS} times {@link KEY_SLOT} follow. */
export const HEADER = new RecordLayout({
  magic: "bytes6",
  version: "u16",
  cipher_name: "bytes32",
  cipher_mode: "bytes32",
  hash_spec: "bytes32",
  payload_offset: "u32",
  key_bytes: "u32",
  mk_digest: "bytes20",
  mk_digest_salt: "bytes32",
  mk_digest_iter: "u32",
  uuid: "bytes40",
}, { sizeBytes: 208, endian: "big" });

export const KEY_SLOT = new RecordLayout({
  active: "u32",
  iterations: "u32",
  salt: "bytes32",
  key_material_offset: "u32",
  stripes: "u32",
}, { sizeBytes: 48, endian: "big" });

export const KEY_SLOTS = 8;
export const HEADER_BYTES: number = HEADER.sizeBytes + KEY_SLOTS * KEY_SLOT.sizeBytes;

/** Values of `active`. */
export const SlotState = { disabled: 0x0000dead, enabled: 0x00ac71f3 } as const;
