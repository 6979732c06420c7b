/**
 * What sets up a device of an image, for each transport that a daemon of ours serves. Each is loaded when
 * it is needed: a view takes all format drivers, the others none.
 *
 * @module
 */
import type { ServedTransport } from "../daemon/served_transport.ts";
import type { Attached, AttachRequest } from "./attach_common.ts";

/** Sets up a device. @throws {Error} if that fails; nothing is left behind then */
export type Attacher = (request: AttachRequest) => Attached;

const ATTACHERS: Readonly<Record<ServedTransport, () => Promise<Attacher>>> = {
  nbd: async () => (await import("./nbd_attach.ts")).attachNbd,
  fuse: async () => (await import("./fuse_attach.ts")).attachFuse,
  view: async () => (await import("./view_attach.ts")).attachView,
  socket: async () => (await import("./socket_attach.ts")).attachSocket,
};

export async function attacherOf(transport: ServedTransport): Promise<Attacher> {
  return await ATTACHERS[transport]();
}
