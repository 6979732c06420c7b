/**
 * The operations of each transport that a daemon of ours serves. What a transport can do is asked
 * here, not which one it is.
 *
 * @module
 */
import type { ServedTransport } from "../daemon/served_transport.ts";
import { FUSE } from "./fuse.ts";
import { NBD } from "./nbd.ts";
import type { DeviceOperations } from "./operations.ts";
import { SOCKET } from "./socket.ts";
import { VIEW } from "./view.ts";

const OPERATIONS: Readonly<Record<ServedTransport, DeviceOperations>> = {
  nbd: NBD,
  fuse: FUSE,
  view: VIEW,
  socket: SOCKET,
};

/** What can be done with what has a state, or with a transport. */
export function operationsOf(
  { transport }: { readonly transport: ServedTransport },
): DeviceOperations {
  return OPERATIONS[transport];
}
