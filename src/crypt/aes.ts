/**
 * AES on many blocks at once: the one primitive all disk encryption here is made of.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { nodeCrypto } from "./node_crypto.ts";

/** Size of a block. */
export const BLOCK_BYTES = 16;
/** 32-bit words of a block. */
export const BLOCK_WORDS = 4;

/** Lengths an AES key can have, in bytes. */
export const AES_KEY_BYTES: readonly number[] = [16, 24, 32];

/** AES in one direction, each block by itself (ECB). */
export class AesBlocks implements Disposable {
  readonly #transform: { update(bytes: Uint8Array): Buffer; final(): Buffer };

  /** @param key 16, 24 or 32 bytes; not needed any more afterwards */
  constructor(key: Uint8Array, direction: "encrypt" | "decrypt") {
    const { createCipheriv, createDecipheriv } = nodeCrypto();
    const create = direction === "encrypt" ? createCipheriv : createDecipheriv;
    const cipher = create(`aes-${key.length * 8}-ecb`, key, null);
    cipher.setAutoPadding(false);
    this.#transform = cipher;
  }

  /** The transformed blocks, as 32-bit words. @param bytes whole blocks */
  update(bytes: Uint8Array): Uint32Array {
    const { buffer, byteOffset, length } = this.#transform.update(bytes);
    if (length !== bytes.length) throw new Error(`${length} of ${bytes.length} bytes from AES`);
    const aligned = byteOffset % Uint32Array.BYTES_PER_ELEMENT === 0;
    return aligned
      ? new Uint32Array(buffer, byteOffset, length / Uint32Array.BYTES_PER_ELEMENT)
      : new Uint32Array(buffer.slice(byteOffset, byteOffset + length));
  }

  /** Frees what the runtime holds of the key. */
  [Symbol.dispose](): void {
    this.#transform.final();
  }
}
