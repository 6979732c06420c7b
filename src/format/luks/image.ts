/**
 * An open LUKS volume.
 *
 * @module
 */
import type { Image, OpenOptions } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { SectorCipher } from "../../crypt/sector_cipher.ts";
import { damaged } from "./errors.ts";
import { type LuksHeader, readHeader } from "./header.ts";
import { HEADER_BYTES, SECTOR_BYTES } from "./layout.ts";
import { unlock } from "./unlock.ts";

/** The disk follows the header and the key material; its sectors are counted from its own start. */
export class LuksImage implements Image {
  readonly sizeBytes: number;
  readonly #file: ImageFile;
  readonly #payloadOffset: number;
  /** Undefined where only the map of the volume is wanted. */
  readonly #cipher: SectorCipher | undefined;

  /** @throws as {@link readHeader} and {@link unlock} */
  constructor(file: ImageFile, { keys, mapOnly }: OpenOptions) {
    const area = { file, startBytes: 0, sizeBytes: file.sizeBytes };
    const header = readHeader(area);
    this.sizeBytes = Number(
      diskSize({ path: file.path, sizeBytes: BigInt(file.sizeBytes) }, header),
    );
    this.#file = file;
    this.#payloadOffset = header.payloadOffsetBytes;
    if (!mapOnly) this.#cipher = unlock(header, area, keys);
  }

  map(guestOffset: number, lengthBytes: number, mapping: Mapping): void {
    mapping.setSealed(this.#file, this.#payloadOffset + guestOffset, lengthBytes);
    mapping.setCipher(this.#cipher, Math.floor(guestOffset / SECTOR_BYTES));
  }

  [Symbol.dispose](): void {
    this.#cipher?.[Symbol.dispose]();
  }
}

/**
 * Size of the disk of a volume in a file of its own: what follows the header, in whole sectors.
 *
 * @throws {ImageFormatError} if the disk does not lie in the same file
 */
export function diskSize(
  { path, sizeBytes }: { readonly path: string; readonly sizeBytes: bigint },
  { payloadOffsetBytes }: LuksHeader,
): bigint {
  if (payloadOffsetBytes < HEADER_BYTES) {
    throw damaged(path, "this is a header without a disk: the disk lies in another file");
  }
  const restBytes = sizeBytes - BigInt(payloadOffsetBytes);
  if (restBytes < 0n) throw damaged(path, "the disk is not in the file");
  return restBytes - restBytes % BigInt(SECTOR_BYTES);
}
