/**
 * Sector encryption as dm-crypt and LUKS name it: `aes-xts-plain64`, `aes-cbc-essiv:sha256` …
 *
 * @module
 */
import { AES_KEY_BYTES } from "./aes.ts";
import { EssivIv, type IvGenerator, PlainIv } from "./iv.ts";
import { CbcMode, EcbMode, type Mode, SECTOR_BYTES, type SectorRun, XtsMode } from "./modes.ts";
import { digest, hasHash } from "./node_crypto.ts";

export { SECTOR_BYTES } from "./modes.ts";

/** Sectors that are worked on at once: few calls, but what they work on stays in the CPU's cache. */
const RUN_SECTORS = 32;
const RUN_BYTES = RUN_SECTORS * SECTOR_BYTES;

/** An encryption that is known here. */
export interface CipherSpec {
  readonly mode: "xts" | "cbc" | "ecb";
  readonly iv: "plain" | "plain64" | "essiv";
  /** Of the key, for essiv only: a hash whose digest is as long as an AES key. */
  readonly ivHash: string;
  /** Of the whole key: for XTS, of both its keys. */
  readonly keyBytes: number;
}

/**
 * Understands the names LUKS uses.
 *
 * @param cipher for example `aes`
 * @param mode for example `cbc-essiv:sha256`
 * @returns undefined for what is not known here
 */
export function parseCipher(
  cipher: string,
  mode: string,
  keyBytes: number,
): CipherSpec | undefined {
  const [, chaining = "", iv = "", ivHash = ""] = /^(\w+)(?:-(\w+)(?::(\w+))?)?$/.exec(mode) ?? [];
  if (cipher !== "aes") return undefined;
  if (chaining !== "xts" && chaining !== "cbc" && chaining !== "ecb") return undefined;
  const aesKeyBytes = chaining === "xts" ? keyBytes / 2 : keyBytes;
  if (!AES_KEY_BYTES.includes(aesKeyBytes)) return undefined;
  // ECB needs no vectors; cryptsetup names none, qemu does.
  if (chaining === "ecb" && iv === "") return { mode: chaining, iv: "plain", ivHash, keyBytes };
  if (iv !== "plain" && iv !== "plain64" && iv !== "essiv") return undefined;
  if (iv === "essiv" && !isEssivHash(ivHash)) return undefined;
  return { mode: chaining, iv, ivHash, keyBytes };
}

function isEssivHash(hash: string): boolean {
  return hasHash(hash) && AES_KEY_BYTES.includes(digest(hash).length);
}

/** Decrypts and encrypts sectors of one disk. */
export class SectorCipher implements Disposable {
  readonly #mode: Mode;
  readonly #words = new Uint32Array(RUN_BYTES / Uint32Array.BYTES_PER_ELEMENT);
  readonly #bytes = new Uint8Array(this.#words.buffer);

  /** @param key `spec.keyBytes` bytes; not needed any more afterwards */
  constructor(spec: CipherSpec, key: Uint8Array) {
    this.#mode = modeOf(spec, key);
  }

  /**
   * Decrypts in place.
   *
   * @param bytes whole sectors
   * @param firstSector number of the first one, an integer up to 2^53
   */
  decrypt(bytes: Uint8Array, firstSector: number): void {
    this.#transform(bytes, firstSector, (run) => this.#mode.decrypt(run));
  }

  /**
   * Encrypts in place.
   *
   * @param bytes whole sectors
   * @param firstSector number of the first one, an integer up to 2^53
   */
  encrypt(bytes: Uint8Array, firstSector: number): void {
    this.#transform(bytes, firstSector, (run) => this.#mode.encrypt(run));
  }

  #transform(bytes: Uint8Array, firstSector: number, transform: (run: SectorRun) => void): void {
    for (let at = 0; at < bytes.length; at += RUN_BYTES) {
      const part = bytes.subarray(at, at + RUN_BYTES);
      this.#bytes.set(part);
      const run = this.#bytes.subarray(0, part.length);
      transform({
        words: this.#words,
        bytes: run,
        firstSector: firstSector + at / SECTOR_BYTES,
        count: part.length / SECTOR_BYTES,
      });
      part.set(run);
    }
  }

  [Symbol.dispose](): void {
    this.#mode[Symbol.dispose]();
  }
}

function modeOf(spec: CipherSpec, key: Uint8Array): Mode {
  switch (spec.mode) {
    case "xts":
      return new XtsMode(key, ivGenerator(spec, key), RUN_SECTORS);
    case "cbc":
      return new CbcMode(key, ivGenerator(spec, key), RUN_SECTORS);
    case "ecb":
      return new EcbMode(key);
  }
}

function ivGenerator({ iv, ivHash }: CipherSpec, key: Uint8Array): IvGenerator {
  if (iv === "essiv") return new EssivIv(RUN_SECTORS, { hash: ivHash, key });
  return new PlainIv(RUN_SECTORS, { has64Bits: iv === "plain64" });
}
