/**
 * Reading what is stored encrypted, sector by sector.
 *
 * @module
 */
import { SECTOR_BYTES, type SectorCipher } from "../crypt/sector_cipher.ts";
import type { ImageFile } from "../storage/image_file.ts";
import type { Mapping } from "../image/mapping.ts";
import { IoBuffer } from "../sys/memory.ts";

/** A run of encrypted bytes. */
export interface EncryptedRun {
  readonly file: ImageFile;
  /** Where the run starts in the file. */
  readonly hostOffset: number;
  /** Where it starts as the cipher counts; as far into its sector as `hostOffset`. */
  readonly cipherOffset: number;
  readonly lengthBytes: number;
}

/** Reads and decrypts runs that may begin and end anywhere. */
export class EncryptedSectors implements Disposable {
  readonly #cipher: SectorCipher;
  readonly #sector = new IoBuffer(SECTOR_BYTES);

  constructor(cipher: SectorCipher) {
    this.#cipher = cipher;
  }

  /**
   * Reads a run to `target` from `position` on. What lies past the end of the file decrypts as zeros
   * would, as in qemu.
   *
   * @returns false if that would wait for a disk: `mapping` then says (Blocked) what has to be read
   * @throws {SystemError} as {@link ImageFile.read}
   */
  read(run: EncryptedRun, target: IoBuffer, position: number, mapping: Mapping): boolean {
    const { lengthBytes } = run;
    const headBytes = Math.min(-run.hostOffset & (SECTOR_BYTES - 1), lengthBytes);
    const tailBytes = (lengthBytes - headBytes) % SECTOR_BYTES;
    const wholeBytes = lengthBytes - headBytes - tailBytes;
    return this.#readWhole(run, headBytes, wholeBytes, target, position, mapping) &&
      this.#readPart(run, 0, headBytes, target, position, mapping) &&
      this.#readPart(run, lengthBytes - tailBytes, tailBytes, target, position, mapping);
  }

  [Symbol.dispose](): void {
    this.#cipher[Symbol.dispose]();
  }

  /** Whole sectors are decrypted where they are wanted. */
  #readWhole(
    { file, hostOffset, cipherOffset }: EncryptedRun,
    start: number,
    lengthBytes: number,
    target: IoBuffer,
    position: number,
    mapping: Mapping,
  ): boolean {
    if (lengthBytes === 0) return true;
    const from = hostOffset + start;
    const at = position + start;
    if (!file.read(target, at, from, lengthBytes)) {
      mapping.setBlocked(file, from + file.atHandBytes, lengthBytes - file.atHandBytes);
      return false;
    }
    const bytes = target.bytes.subarray(at, at + lengthBytes);
    this.#cipher.decrypt(bytes, (cipherOffset + start) / SECTOR_BYTES);
    return true;
  }

  /** A part of one sector, all of which has to be decrypted. */
  #readPart(
    { file, hostOffset, cipherOffset }: EncryptedRun,
    start: number,
    lengthBytes: number,
    target: IoBuffer,
    position: number,
    mapping: Mapping,
  ): boolean {
    if (lengthBytes === 0) return true;
    const inSector = (hostOffset + start) % SECTOR_BYTES;
    const from = hostOffset + start - inSector;
    const sector = this.#sector;
    if (!file.read(sector, 0, from, SECTOR_BYTES)) {
      mapping.setBlocked(file, from, SECTOR_BYTES);
      return false;
    }
    this.#cipher.decrypt(sector.bytes, (cipherOffset + start - inSector) / SECTOR_BYTES);
    target.bytes.set(sector.bytes.subarray(inSector, inSector + lengthBytes), position + start);
    return true;
  }
}
