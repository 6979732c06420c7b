/**
 * Modes of operation, working on a run of sectors with one call of AES rather than one for each
 * sector: what surrounds AES is done on 32-bit words, of which both XTS and CBC need little.
 *
 * @module
 */
import { AesBlocks, BLOCK_BYTES, BLOCK_WORDS } from "./aes.ts";
import type { IvGenerator } from "./iv.ts";

export const SECTOR_BYTES = 512;
const SECTOR_WORDS = SECTOR_BYTES / Uint32Array.BYTES_PER_ELEMENT;

/** Consecutive sectors that are decrypted or encrypted in place. */
export interface SectorRun {
  readonly words: Uint32Array;
  /** The same memory as `words`. */
  readonly bytes: Uint8Array;
  readonly firstSector: number;
  readonly count: number;
}

/** Decrypts and encrypts runs of sectors. */
export interface Mode extends Disposable {
  decrypt(run: SectorRun): void;
  encrypt(run: SectorRun): void;
}

/** XTS (IEEE 1619): each block is masked, before and after AES, by a tweak that is never repeated. */
export class XtsMode implements Mode {
  readonly #aes: AesBlocks;
  readonly #encryptingAes: AesBlocks;
  readonly #tweakAes: AesBlocks;
  readonly #ivs: IvGenerator;
  readonly #tweaks: Uint32Array;

  /**
   * @param key two AES keys of equal length: for the data, and for the tweaks
   * @param most sectors of a run, at most
   */
  constructor(key: Uint8Array, ivs: IvGenerator, most: number) {
    const half = key.length / 2;
    this.#aes = new AesBlocks(key.subarray(0, half), "decrypt");
    this.#encryptingAes = new AesBlocks(key.subarray(0, half), "encrypt");
    this.#tweakAes = new AesBlocks(key.subarray(half), "encrypt");
    this.#ivs = ivs;
    this.#tweaks = new Uint32Array(most * SECTOR_WORDS);
  }

  decrypt(run: SectorRun): void {
    this.#transform(run, this.#aes);
  }

  encrypt(run: SectorRun): void {
    this.#transform(run, this.#encryptingAes);
  }

  #transform({ words, bytes, firstSector, count }: SectorRun, aes: AesBlocks): void {
    const ivs = this.#ivs.vectors(firstSector, count);
    const ivBytes = new Uint8Array(ivs.buffer, ivs.byteOffset, count * BLOCK_BYTES);
    const firstTweaks = this.#tweakAes.update(ivBytes);
    for (let sector = 0; sector < count; sector++) {
      this.#mask(words, sector * SECTOR_WORDS, firstTweaks, sector * BLOCK_WORDS);
    }
    const transformed = aes.update(bytes);
    const tweaks = this.#tweaks;
    for (let i = 0; i < transformed.length; i++) {
      words[i] = (transformed[i] ?? 0) ^ (tweaks[i] ?? 0);
    }
  }

  /** Masks one sector, and keeps its tweaks: each is the one before times x in GF(2^128). */
  #mask(words: Uint32Array, start: number, firstTweaks: Uint32Array, at: number): void {
    const tweaks = this.#tweaks;
    let t0 = firstTweaks[at] ?? 0;
    let t1 = firstTweaks[at + 1] ?? 0;
    let t2 = firstTweaks[at + 2] ?? 0;
    let t3 = firstTweaks[at + 3] ?? 0;
    for (let i = start; i < start + SECTOR_WORDS; i += BLOCK_WORDS) {
      tweaks[i] = t0;
      tweaks[i + 1] = t1;
      tweaks[i + 2] = t2;
      tweaks[i + 3] = t3;
      words[i] = (words[i] ?? 0) ^ t0;
      words[i + 1] = (words[i + 1] ?? 0) ^ t1;
      words[i + 2] = (words[i + 2] ?? 0) ^ t2;
      words[i + 3] = (words[i + 3] ?? 0) ^ t3;
      const carry = (t3 >> 31) & 0x87;
      t3 = (t3 << 1) | (t2 >>> 31);
      t2 = (t2 << 1) | (t1 >>> 31);
      t1 = (t1 << 1) | (t0 >>> 31);
      t0 = (t0 << 1) ^ carry;
    }
  }

  [Symbol.dispose](): void {
    const parts = [this.#aes, this.#encryptingAes, this.#tweakAes, this.#ivs];
    for (const part of parts) part[Symbol.dispose]();
  }
}

/** CBC: after AES, each block is masked by the encrypted one before it, the first by the vector. */
export class CbcMode implements Mode {
  readonly #aes: AesBlocks;
  readonly #encryptingAes: AesBlocks;
  readonly #ivs: IvGenerator;
  /** A block of each sector of a run. */
  readonly #column: Uint32Array;
  readonly #columnBytes: Uint8Array;

  /** @param most sectors of a run, at most */
  constructor(key: Uint8Array, ivs: IvGenerator, most: number) {
    this.#aes = new AesBlocks(key, "decrypt");
    this.#encryptingAes = new AesBlocks(key, "encrypt");
    this.#ivs = ivs;
    this.#column = new Uint32Array(most * BLOCK_WORDS);
    this.#columnBytes = new Uint8Array(this.#column.buffer);
  }

  decrypt({ words, bytes, firstSector, count }: SectorRun): void {
    const clear = this.#aes.update(bytes);
    const ivs = this.#ivs.vectors(firstSector, count);
    // Backwards, so that the encrypted block before each is still there.
    for (let sector = count - 1; sector >= 0; sector--) {
      const start = sector * SECTOR_WORDS;
      for (let i = start + SECTOR_WORDS - 1; i >= start + BLOCK_WORDS; i--) {
        words[i] = (clear[i] ?? 0) ^ (words[i - BLOCK_WORDS] ?? 0);
      }
      for (let i = 0; i < BLOCK_WORDS; i++) {
        words[start + i] = (clear[start + i] ?? 0) ^ (ivs[sector * BLOCK_WORDS + i] ?? 0);
      }
    }
  }

  /** Each block needs the one before it, but sectors do not need each other: all go on side by side. */
  encrypt({ words, firstSector, count }: SectorRun): void {
    const column = this.#column;
    const columnBytes = this.#columnBytes.subarray(0, count * BLOCK_BYTES);
    column.set(this.#ivs.vectors(firstSector, count).subarray(0, count * BLOCK_WORDS));
    for (let block = 0; block < SECTOR_WORDS; block += BLOCK_WORDS) {
      for (let i = 0; i < count * BLOCK_WORDS; i++) {
        const at = Math.floor(i / BLOCK_WORDS) * SECTOR_WORDS + block + i % BLOCK_WORDS;
        column[i] = (column[i] ?? 0) ^ (words[at] ?? 0);
      }
      column.set(this.#encryptingAes.update(columnBytes));
      for (let i = 0; i < count * BLOCK_WORDS; i++) {
        const at = Math.floor(i / BLOCK_WORDS) * SECTOR_WORDS + block + i % BLOCK_WORDS;
        words[at] = column[i] ?? 0;
      }
    }
  }

  [Symbol.dispose](): void {
    for (const part of [this.#aes, this.#encryptingAes, this.#ivs]) part[Symbol.dispose]();
  }
}

/** ECB: nothing but AES. Nobody should use it, but qemu makes such images. */
export class EcbMode implements Mode {
  readonly #aes: AesBlocks;
  readonly #encryptingAes: AesBlocks;

  constructor(key: Uint8Array) {
    this.#aes = new AesBlocks(key, "decrypt");
    this.#encryptingAes = new AesBlocks(key, "encrypt");
  }

  decrypt({ words, bytes }: SectorRun): void {
    words.set(this.#aes.update(bytes));
  }

  encrypt({ words, bytes }: SectorRun): void {
    words.set(this.#encryptingAes.update(bytes));
  }

  [Symbol.dispose](): void {
    for (const part of [this.#aes, this.#encryptingAes]) part[Symbol.dispose]();
  }
}
