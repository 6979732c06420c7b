/**
 * The ways to make a device of an image, by name.
 *
 * @module
 */

import type { ServedTransport } from "../daemon/served_transport.ts";

/** How an image can become a device; `auto` leaves the choice to the attach action. */
export type Transport = "auto" | "loop" | ServedTransport;

/** In the order of the documentation. */
export const TRANSPORTS: readonly Transport[] = ["auto", "loop", "view", "nbd", "fuse", "socket"];
