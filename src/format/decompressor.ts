/**
 * What turns the stored bytes of a cluster into a cluster.
 *
 * @module
 */

/**
 * Decompresses `stored`, which may be followed by anything, to `clusterBytes` bytes.
 *
 * @returns undefined if that many bytes, and no more, are not in it
 */
export type Decompressor = (stored: Uint8Array, clusterBytes: number) => Uint8Array | undefined;
