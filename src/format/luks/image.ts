/**
 * An open LUKS volume, read-only.
 *
 * @module
 */
import type { Image, OpenOptions } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { IoBuffer } from "../../sys/memory.ts";
import { EncryptedSectors } from "../encrypted_sectors.ts";
import { damaged } from "./errors.ts";
import { type LuksHeader, readHeader } from "./header.ts";
import { HEADER_BYTES, SECTOR_BYTES } from "./layout.ts";
import { unlock } from "./unlock.ts";

/** The disk follows the header and the key material; its sectors are counted from its own start. */
export class LuksImage implements Image {
  readonly sizeBytes: number;
  readonly readOnly = true;
  readonly filesToSync: readonly ImageFile[] = [];
  readonly #file: ImageFile;
  readonly #payloadOffset: number;
  readonly #sectors: EncryptedSectors | undefined;

  /** @throws as {@link readHeader} and {@link unlock} */
  constructor(file: ImageFile, { keys, mapOnly }: OpenOptions) {
    const area = { file, startBytes: 0, sizeBytes: file.sizeBytes };
    const header = readHeader(area);
    this.sizeBytes = diskSize(file, header);
    this.#file = file;
    this.#payloadOffset = header.payloadOffsetBytes;
    if (!mapOnly) this.#sectors = new EncryptedSectors(unlock(header, area, keys));
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    const inSector = guestOffset % SECTOR_BYTES;
    const hostBytes = Math.ceil((inSector + lengthBytes) / SECTOR_BYTES) * SECTOR_BYTES;
    const hostOffset = this.#payloadOffset + guestOffset - inSector;
    mapping.setEncrypted(this.#file, hostOffset, hostBytes, lengthBytes);
  }

  readSpecial(
    guestOffset: number,
    lengthBytes: number,
    target: IoBuffer,
    position: number,
    mapping: Mapping,
  ): boolean {
    if (this.#sectors === undefined) throw new Error("nothing to decrypt with");
    const hostOffset = this.#payloadOffset + guestOffset;
    const run = { file: this.#file, hostOffset, cipherOffset: guestOffset, lengthBytes };
    return this.#sectors.read(run, target, position, mapping);
  }

  [Symbol.dispose](): void {
    this.#sectors?.[Symbol.dispose]();
  }
}

/**
 * Size of the disk of a volume in a file of its own: what follows the header, in whole sectors.
 *
 * @throws {ImageFormatError} if the disk does not lie in the same file
 */
export function diskSize(file: ImageFile, { payloadOffsetBytes }: LuksHeader): number {
  if (payloadOffsetBytes < HEADER_BYTES) {
    throw damaged(file.path, "this is a header without a disk: the disk lies in another file");
  }
  if (payloadOffsetBytes > file.sizeBytes) throw damaged(file.path, "the disk is not in the file");
  const restBytes = file.sizeBytes - payloadOffsetBytes;
  return restBytes - restBytes % SECTOR_BYTES;
}
