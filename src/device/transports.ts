/**
 * The ways to make a device of an image, by name.
 *
 * @module
 */

/** How an image can become a device; `auto` leaves the choice to the attach action. */
export type Transport = "auto" | "loop" | "nbd" | "fuse" | "socket";

/** In the order of the documentation. */
export const TRANSPORTS: readonly Transport[] = ["auto", "loop", "nbd", "fuse", "socket"];
