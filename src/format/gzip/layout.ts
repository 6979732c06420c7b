/**
 * Files of gzip(1) (RFC 1952): members, one after the other, each a disk's next bytes.
 *
 *     0                10                     ... end of member
 *     │ 1f 8b 08 flags │ names │ deflate stream │ CRC-32 │ size modulo 2^32 │ next member ...
 *
 * How many members there are, and how large the disk is, nothing says.
 *
 * @module
 */

/** Two bytes of the format, and the only method that there is. */
export const MAGIC = Uint8Array.of(0x1f, 0x8b, 0x08);
