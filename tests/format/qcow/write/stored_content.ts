/**
 * A real file that has the content of one in memory: only what differs is written.
 *
 * @module
 */
import { BLOCK_BYTES, type FileContent } from "./file_content.ts";

const WORD_BYTES = 4;
/** Odd numbers with bits that look random: multiplied with them, each bit changes half of those above. */
const [MIX_ONE, MIX_OTHER] = [0x9e3779b1, 0x85ebca6b];

export class StoredContent {
  readonly #path: string;
  readonly #content: FileContent;
  /** Two numbers of 32 bits for each block; what all blocks have by exclusive or. */
  #hashes = new Int32Array(0);
  #hash = 0;
  #otherHash = 0;
  #isWhole = false;

  constructor(path: string, content: FileContent) {
    this.#path = path;
    this.#content = content;
  }

  /** Others have changed the file. */
  forget(): void {
    this.#isWhole = false;
  }

  /** The same for the same content, and, as sure as 64 bits can make it, only for that. */
  get key(): string {
    return `${this.#content.sizeBytes} ${this.#hash} ${this.#otherHash}`;
  }

  /** The file gets what the content has now. */
  put(): void {
    const blocks = this.#content.takeUnseen();
    for (const block of blocks) this.#hashBlock(block);
    using file = Deno.openSync(this.#path, { write: true });
    if (!this.#isWhole) {
      file.truncateSync(0);
      writeAll(file, 0, this.#content.bytes);
      this.#isWhole = true;
      return;
    }
    file.truncateSync(this.#content.sizeBytes);
    for (let n = 0; n < blocks.length;) {
      const first = blocks[n] ?? 0;
      let end = first;
      for (; blocks[n] === end; n++) end++;
      const start = first * BLOCK_BYTES;
      writeAll(file, start, this.#content.bytes.subarray(start, end * BLOCK_BYTES));
    }
  }

  #hashBlock(number: number): void {
    const { buffer, byteOffset, byteLength } = this.#content.block(number);
    const words = new Int32Array(buffer, byteOffset, byteLength / WORD_BYTES);
    let [one, other, all] = [number + 1, ~number, 0];
    for (let n = 0; n < words.length; n += 2) {
      const [even = 0, odd = 0] = [words[n], words[n + 1]];
      all |= even | odd;
      one = Math.imul(one ^ even, MIX_ONE);
      one ^= one >>> 15;
      other = Math.imul(other ^ odd, MIX_OTHER);
      other ^= other >>> 13;
    }
    const isZero = all === 0;
    if (2 * number + 1 >= this.#hashes.length) this.#reserve(number);
    // What lies behind the end of the file is zeros, too.
    this.#set(2 * number, isZero ? 0 : one, isZero ? 0 : other);
  }

  #set(at: number, one: number, other: number): void {
    this.#hash ^= (this.#hashes[at] ?? 0) ^ one;
    this.#otherHash ^= (this.#hashes[at + 1] ?? 0) ^ other;
    this.#hashes[at] = one;
    this.#hashes[at + 1] = other;
  }

  #reserve(block: number): void {
    const larger = new Int32Array(4 * block + 4);
    larger.set(this.#hashes);
    this.#hashes = larger;
  }
}

function writeAll(file: Deno.FsFile, offset: number, bytes: Uint8Array): void {
  file.seekSync(offset, Deno.SeekMode.Start);
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}
