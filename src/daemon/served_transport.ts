/**
 * @module
 */

/**
 * What a daemon can serve: an nbd device, a FUSE file, that of a view, which has the rest from the
 * kernel, or clients of a socket.
 */
export const SERVED_TRANSPORTS = ["nbd", "fuse", "view", "socket"] as const;
export type ServedTransport = (typeof SERVED_TRANSPORTS)[number];
