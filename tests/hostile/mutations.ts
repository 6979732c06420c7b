/**
 * Changes to images, such as an attacker or a dying disk would make them.
 *
 * @module
 */
import { pick } from "../matrix/recipe.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Random = () => number;

/** A change in place. */
export interface Patch {
  readonly at: number;
  readonly bytes: Bytes;
}

/** Changes, and the length the file is cut to, if it is. */
export interface Mutation {
  readonly patches: readonly Patch[];
  readonly lengthBytes: number | undefined;
}

const BITS = [0n, 1n, 2n, 3n, 5n, 9n, 12n, 16n, 20n, 21n, 31n, 32n, 40n, 53n, 55n, 56n, 61n, 63n];
/** Powers of two, their neighbours, and sectors off them. */
const NASTY: readonly bigint[] = BITS.flatMap((bit) =>
  [0n, 1n, -1n, 512n, -512n].map((off) => BigInt.asUintN(64, (1n << bit) + off))
);
/** What a format is like, if not like QCOW. */
interface Form {
  readonly headerBytes?: number | undefined;
  readonly littleEndian?: boolean | undefined;
}

/** Makes changes to one image. */
export class Mutator {
  readonly #original: Bytes;
  readonly #names: readonly Patch[];
  /** Offsets of all 8-byte words that are not 0: header fields, table entries, data. */
  readonly #words: readonly number[];
  readonly #headerBytes: number;
  readonly #littleEndian: boolean;

  /** @param names changes that put hostile names into the image */
  constructor(
    original: Bytes,
    names: readonly Patch[],
    { headerBytes = 128, littleEndian = false }: Form = {},
  ) {
    this.#original = original;
    this.#headerBytes = headerBytes;
    this.#littleEndian = littleEndian;
    this.#names = names;
    const view = new DataView(original.buffer);
    const words: number[] = [];
    for (let at = 0; at + 8 <= original.length; at += 8) {
      if (view.getBigUint64(at) !== 0n) words.push(at);
    }
    this.#words = words;
  }

  next(random: Random): Mutation {
    const count = 1 + Math.floor(random() * 3);
    const patches = Array.from({ length: count }, () => this.#patch(random));
    const isCut = random() < 0.05;
    const share = random() < 0.5 ? random() : random() ** 8;
    const lengthBytes = isCut ? Math.floor(share * this.#original.length) : undefined;
    return { patches, lengthBytes };
  }

  #patch(random: Random): Patch {
    const kind = random();
    if (kind < 0.1 && this.#names.length > 0) return pick(this.#names, random);
    if (kind < 0.4) return this.#headerField(random);
    if (kind < 0.7) return this.#word(random);
    return this.#byte(random);
  }

  #headerField(random: Random): Patch {
    const at = 4 * Math.floor(random() * this.#headerBytes / 4);
    const bytes = new Uint8Array(random() < 0.5 ? 4 : 8);
    const view = new DataView(bytes.buffer);
    const value = pick(NASTY, random);
    if (bytes.length === 8) view.setBigUint64(0, value, this.#littleEndian);
    else view.setUint32(0, Number(BigInt.asUintN(32, value)), this.#littleEndian);
    return { at, bytes };
  }

  /** A word becomes nasty, loses or gains a bit, or becomes what another word is. */
  #word(random: Random): Patch {
    const at = this.#anyWord(random);
    const view = new DataView(this.#original.buffer);
    const bytes = new Uint8Array(8);
    const how = random();
    const value = how < 0.4
      ? pick(NASTY, random)
      : how < 0.7
      ? view.getBigUint64(at) ^ (1n << BigInt(Math.floor(random() * 64)))
      : view.getBigUint64(this.#anyWord(random));
    new DataView(bytes.buffer).setBigUint64(0, value);
    return { at, bytes };
  }

  /** Metadata come first in all these images: the first words are more interesting. */
  #anyWord(random: Random): number {
    const index = Math.floor(random() ** 3 * this.#words.length);
    return this.#words[index] ?? 0;
  }

  #byte(random: Random): Patch {
    const share = random() < 0.5 ? random() ** 4 : random();
    const at = Math.floor(share * this.#original.length);
    return { at, bytes: Uint8Array.of(random() * 256) };
  }
}

/** Applies a mutation to a file, and takes it back. */
export class MutableFile implements Disposable {
  readonly #original: Bytes;
  readonly #file: Deno.FsFile;

  constructor(path: string, original: Bytes) {
    this.#original = original;
    this.#file = Deno.openSync(path, { write: true });
  }

  apply({ patches, lengthBytes }: Mutation): void {
    for (const { at, bytes } of patches) this.#write(at, bytes);
    if (lengthBytes !== undefined) this.#file.truncateSync(lengthBytes);
  }

  restore({ patches, lengthBytes }: Mutation): void {
    if (lengthBytes !== undefined) {
      this.#write(lengthBytes, this.#original.subarray(lengthBytes));
    }
    for (const { at, bytes } of patches) {
      this.#write(at, this.#original.subarray(at, at + bytes.length));
    }
    this.#file.truncateSync(this.#original.length);
  }

  #write(at: number, bytes: Uint8Array): void {
    this.#file.seekSync(at, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) done += this.#file.writeSync(bytes.subarray(done));
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}
