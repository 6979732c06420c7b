/**
 * What a server offers to its clients.
 *
 * @module
 */
import type { ImageAccess } from "../disk/image_access.ts";
import { TransmissionFlag } from "./protocol.ts";

/** Size and abilities of an export, as told in the handshake or to the kernel. */
export interface ExportDescription {
  readonly sizeBytes: number;
  /** {@link TransmissionFlag} bits. */
  readonly flags: number;
  /** Smallest unit clients should use, in bytes. */
  readonly minimumBlockBytes: number;
  /** Unit that is served best, in bytes. */
  readonly preferredBlockBytes: number;
}

/** Describes an image as an export. */
export function describeExport(access: ImageAccess): ExportDescription {
  return {
    sizeBytes: access.sizeBytes,
    flags: transmissionFlags(access),
    minimumBlockBytes: 1,
    preferredBlockBytes: 4096,
  };
}

/**
 * Several connections are one and the same disk, whatever the image: where several threads may change
 * it, they share its files and their flushes; else one thread serves all who may change it.
 */
function transmissionFlags(access: ImageAccess): number {
  const { HasFlags, ReadOnly, SendFlush, SendFua, SendTrim, SendWriteZeroes } = TransmissionFlag;
  const { CanMultiConn, SendFastZero } = TransmissionFlag;
  const always = HasFlags | SendFlush | CanMultiConn;
  if (access.readOnly) return always | ReadOnly;
  return always | SendFua | SendWriteZeroes | SendFastZero | SendTrim;
}
