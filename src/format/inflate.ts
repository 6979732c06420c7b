/**
 * Clusters stored as raw deflate streams (RFC 1951).
 *
 * @module
 */
import type { Decompressor } from "./decompressor.ts";
import { ReusableStream } from "./zlib.ts";

/**
 * A stream need not be ended, and may go on: what fills a cluster is one, as in qemu. It yields its
 * bytes in order, so that whoever wants those at the start need not wait for the others.
 */
export class Inflater implements Decompressor {
  readonly #stream = new ReusableStream("deflate");

  begin(stored: Uint8Array, cluster: Uint8Array, wantedBytes: number): number {
    this.#stream.start();
    return this.#fill(stored, cluster, wantedBytes) ? wantedBytes : -1;
  }

  finish(stored: Uint8Array, cluster: Uint8Array): boolean {
    return this.#fill(stored, cluster, cluster.length);
  }

  #fill(stored: Uint8Array, cluster: Uint8Array, end: number): boolean {
    return this.#stream.decompress(stored, cluster, end) === end;
  }

  [Symbol.dispose](): void {
    this.#stream[Symbol.dispose]();
  }
}
