/**
 * Initialization vectors of sectors, as dm-crypt makes them (Linux, drivers/md/dm-crypt.c).
 *
 * @module
 */
import { AesBlocks, BLOCK_BYTES, BLOCK_WORDS } from "./aes.ts";
import { digest } from "./node_crypto.ts";

/** Makes the vectors of consecutive sectors. */
export interface IvGenerator extends Disposable {
  /**
   * The vectors of `count` sectors from number `firstSector` on, one after the other. They are good
   * until the next call.
   */
  vectors(firstSector: number, count: number): Uint32Array;
}

/** The sector number, little-endian: all of it (plain64), or its lowest 32 bits (plain). */
export class PlainIv implements IvGenerator {
  readonly #words: Uint32Array;
  readonly #has64Bits: boolean;

  /** @param most sectors that are asked for at once, at most */
  constructor(most: number, { has64Bits }: { readonly has64Bits: boolean }) {
    this.#words = new Uint32Array(most * BLOCK_WORDS);
    this.#has64Bits = has64Bits;
  }

  vectors(firstSector: number, count: number): Uint32Array {
    const words = this.#words;
    for (let i = 0; i < count; i++) {
      const sector = firstSector + i;
      words[i * BLOCK_WORDS] = sector >>> 0;
      if (this.#has64Bits) words[i * BLOCK_WORDS + 1] = Math.floor(sector / 2 ** 32);
    }
    return words;
  }

  [Symbol.dispose](): void {}
}

/** The sector number, encrypted with a hash of the key. */
export class EssivIv implements IvGenerator {
  readonly #plain: PlainIv;
  readonly #bytes: Uint8Array;
  readonly #cipher: AesBlocks;

  /** @param hash one whose digest is as long as an AES key */
  constructor(most: number, { hash, key }: { readonly hash: string; readonly key: Uint8Array }) {
    this.#plain = new PlainIv(most, { has64Bits: true });
    this.#bytes = new Uint8Array(this.#plain.vectors(0, 0).buffer);
    const salt = digest(hash, key);
    this.#cipher = new AesBlocks(salt, "encrypt");
    salt.fill(0);
  }

  vectors(firstSector: number, count: number): Uint32Array {
    this.#plain.vectors(firstSector, count);
    return this.#cipher.update(this.#bytes.subarray(0, count * BLOCK_BYTES));
  }

  [Symbol.dispose](): void {
    this.#cipher[Symbol.dispose]();
  }
}
