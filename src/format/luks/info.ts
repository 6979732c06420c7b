/**
 * What a LUKS volume says of itself. Keys and values are those of qemu (QAPI,
 * `QCryptoBlockInfoLUKS`).
 *
 * @module
 */
import type { ImageFile } from "../../storage/image_file.ts";
import { exact } from "../../image/exact.ts";
import type { ImageInfo, InfoValue } from "../../image/info.ts";
import { type KeySlot, type LuksHeader, readHeader } from "./header.ts";
import { diskSize } from "./image.ts";

/**
 * Describes the volume in `file`; needs no key.
 *
 * @throws as {@link readHeader}
 */
export function describe(file: ImageFile): ImageInfo {
  const header = readHeader({ file, startBytes: 0, sizeBytes: file.sizeBytes });
  return {
    format: "luks",
    sizeBytes: exact(diskSize({ path: file.path, sizeBytes: file.exactSize() }, header)),
    encrypted: true,
    specific: { type: "luks", data: luksInfo(header) },
  };
}

/** What a header says, be it that of a volume or of a QCOW2 image. */
export function luksInfo(header: LuksHeader): { readonly [key: string]: InfoValue } {
  const { cipher, hash, uuid, payloadOffsetBytes, digestIterations } = header;
  const { mode, iv, ivHash, keyBytes } = cipher;
  return {
    "cipher-alg": `aes-${keyBytes * 8 / (mode === "xts" ? 2 : 1)}`,
    "cipher-mode": mode,
    "ivgen-alg": iv,
    ...(ivHash === "" ? {} : { "ivgen-hash-alg": ivHash }),
    "hash-alg": hash,
    "payload-offset": payloadOffsetBytes,
    "master-key-iters": digestIterations,
    uuid,
    slots: header.slots.map(slotInfo),
  };
}

function slotInfo({ isActive, iterations, stripes, materialOffsetBytes }: KeySlot): InfoValue {
  return {
    active: isActive,
    ...(isActive ? { iters: iterations, stripes } : {}),
    "key-offset": materialOffsetBytes,
  };
}
