/**
 * An open LUKS volume.
 *
 * @module
 */
import type { Image, OpenOptions } from "../../image/driver.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import type { Mapping } from "../../image/mapping.ts";
import type { Placement, Writing } from "../../image/writing.ts";
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
  readonly writing: Writing | undefined;

  /** @throws as {@link readHeader} and {@link unlock} */
  constructor(file: ImageFile, { keys, mapOnly, readOnly }: OpenOptions) {
    const area = { file, startBytes: 0, sizeBytes: file.sizeBytes };
    const header = readHeader(area);
    this.sizeBytes = Number(
      diskSize({ path: file.path, sizeBytes: BigInt(file.sizeBytes) }, header),
    );
    this.#file = file;
    this.#payloadOffset = header.payloadOffsetBytes;
    if (mapOnly) return;
    const cipher = unlock(header, area, keys);
    this.#cipher = cipher;
    if (!readOnly) this.writing = new LuksWriting(file, header.payloadOffsetBytes, cipher);
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
 * Every byte stays where it is. Only one thread writes: of a sector that is written in part, the rest is
 * read, so that two who did that at the same time would lose what one of them wrote.
 */
class LuksWriting implements Writing {
  readonly files: readonly ImageFile[];
  readonly writers = "one";
  readonly #file: ImageFile;
  readonly #payloadOffset: number;
  readonly #cipher: SectorCipher;

  constructor(file: ImageFile, payloadOffset: number, cipher: SectorCipher) {
    this.files = [file];
    this.#file = file;
    this.#payloadOffset = payloadOffset;
    this.#cipher = cipher;
  }

  place(guestOffset: number, lengthBytes: number, placement: Placement): void {
    placement.guestOffset = guestOffset;
    placement.setDirect(this.#file, this.#payloadOffset + guestOffset, lengthBytes);
    placement.cipher = this.#cipher;
    placement.firstSector = Math.floor(guestOffset / SECTOR_BYTES);
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
