/**
 * Clusters stored as raw deflate streams (RFC 1951).
 *
 * @module
 */
import type { Decompressor } from "./decompressor.ts";
import { ReusableStream, ScratchBuffer } from "./zlib.ts";

/** A stream need not be ended, and may go on: what fills a cluster is one, as in qemu. */
export class Inflater implements Decompressor {
  readonly #stream = new ReusableStream("deflate");
  readonly #scratch = new ScratchBuffer();

  decompress(stored: Uint8Array, clusterBytes: number): Uint8Array | undefined {
    const cluster = this.#scratch.ofSize(clusterBytes);
    return this.#stream.decompress(stored, cluster) === clusterBytes ? cluster : undefined;
  }

  [Symbol.dispose](): void {
    this.#stream[Symbol.dispose]();
  }
}
