/**
 * Reading what is stored encrypted, sector by sector.
 *
 * @module
 */
import { SECTOR_BYTES, type SectorCipher } from "../crypt/sector_cipher.ts";
import type { Mapping } from "../image/mapping.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { IoBuffer } from "../sys/memory.ts";

/** Reads and decrypts runs that may begin and end anywhere in a sector. */
export class SealedReader {
  readonly #sector = new IoBuffer(SECTOR_BYTES);

  /**
   * Reads the run that `mapping` (Sealed) describes to `target` from `position` on. What lies past the
   * end of the file decrypts as zeros would, as in qemu.
   *
   * @returns false if that would wait for a disk, and the mapping's attempt may not
   * @throws {SystemError} as {@link ImageFile.read}
   */
  read(mapping: Mapping, target: IoBuffer, position: number): boolean {
    const { hostOffset, lengthBytes } = mapping;
    const headBytes = Math.min(-hostOffset & (SECTOR_BYTES - 1), lengthBytes);
    const tailBytes = (lengthBytes - headBytes) % SECTOR_BYTES;
    const tailStart = lengthBytes - tailBytes;
    if (tailStart > headBytes && !readWhole(mapping, headBytes, tailStart, target, position)) {
      return false;
    }
    return (headBytes === 0 || this.#readPart(mapping, 0, headBytes, target, position)) &&
      (tailBytes === 0 || this.#readPart(mapping, tailStart, tailBytes, target, position));
  }

  /** A part of one sector, all of which has to be decrypted. */
  #readPart(
    mapping: Mapping,
    start: number,
    lengthBytes: number,
    target: IoBuffer,
    position: number,
  ): boolean {
    const { attempt, hostOffset } = mapping;
    const inSector = (hostOffset + start) % SECTOR_BYTES;
    const from = hostOffset + start - inSector;
    const sector = this.#sector;
    if (!attempt.read(fileOf(mapping), sector, 0, from, SECTOR_BYTES)) return false;
    cipherOf(mapping).decrypt(sector.bytes, sectorNumber(mapping, from));
    target.bytes.set(sector.bytes.subarray(inSector, inSector + lengthBytes), position + start);
    return true;
  }
}

/** Whole sectors, from `start` to `end` of the run, are decrypted where they are wanted. */
function readWhole(
  mapping: Mapping,
  start: number,
  end: number,
  target: IoBuffer,
  position: number,
): boolean {
  const from = mapping.hostOffset + start;
  const file = fileOf(mapping);
  if (!mapping.attempt.read(file, target, position + start, from, end - start)) return false;
  const bytes = target.bytes.subarray(position + start, position + end);
  cipherOf(mapping).decrypt(bytes, sectorNumber(mapping, from));
  return true;
}

/** What the cipher counts the sector as that begins at `hostOffset`. */
function sectorNumber(mapping: Mapping, hostOffset: number): number {
  const first = Math.floor(mapping.hostOffset / SECTOR_BYTES);
  return mapping.firstSector + hostOffset / SECTOR_BYTES - first;
}

function fileOf({ file }: Mapping): ImageFile {
  if (file === undefined) throw new Error("an encrypted extent without a file");
  return file;
}

function cipherOf({ cipher }: Mapping): SectorCipher {
  if (cipher === undefined) throw new Error("nothing to decrypt with");
  return cipher;
}
