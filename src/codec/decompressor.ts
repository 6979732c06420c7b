/**
 * What turns the stored bytes of a cluster into a cluster.
 *
 * @module
 */

export interface Decompressor extends Disposable {
  /**
   * Decompresses `stored`, which may be followed by anything, into `cluster`.
   *
   * @returns false if not all of the cluster is in there: what `cluster` has now means nothing
   */
  decompress(stored: Uint8Array, cluster: Uint8Array): boolean;
}
