/**
 * The digests of the whole disk, which the last segment has.
 *
 * @module
 */
import { adler32 } from "../../codec/zlib.ts";
import type { RelatedFiles } from "../../image/driver.ts";
import type { ContentStep, SumMethod } from "../../image/content_steps.ts";
import type { ImageFile } from "../../storage/image_file.ts";
import { damaged } from "./errors.ts";
import { DIGEST, HASH } from "./layout.ts";
import { openNext } from "./open.ts";
import { readBytes, type Section, sectionsOf } from "./sections.ts";
import { findVolume } from "./volume.ts";

/** Sections with digests, and where in them they are. */
const DIGESTS = {
  hash: { layout: HASH, sums: [["md5", "md5"]] },
  digest: { layout: DIGEST, sums: [["md5", "md5"], ["sha1", "sha1"]] },
} as const;

/** A digest as it is recorded. */
interface Recorded {
  readonly method: SumMethod;
  readonly expected: string;
}

/**
 * The whole disk is read, whether there are digests of it or not: each chunk has a checksum of its own.
 *
 * @throws {ImageFormatError} if a segment is damaged
 * @throws {RelatedFileError} if a segment is missing
 */
export function* contentSteps(file: ImageFile, related: RelatedFiles): Generator<ContentStep> {
  const { sizeBytes } = findVolume(file);
  const recorded = digestsOf(file, related);
  yield { kind: "begin", methods: recorded.map(({ method }) => method) };
  yield { kind: "read", guestOffset: 0, lengthBytes: sizeBytes };
  for (const sum of recorded) yield { kind: "compare", ...sum, name: "the disk" };
}

function digestsOf(first: ImageFile, related: RelatedFiles): Recorded[] {
  const found: Recorded[] = [];
  let segment = first;
  for (let number = 2;; number++) {
    let isLast = false;
    for (const section of sectionsOf(segment)) {
      found.push(...digestsIn(segment, section));
      isLast = section.type === "done";
    }
    if (isLast) return found;
    segment = openNext(first, number, { related });
  }
}

function digestsIn(file: ImageFile, { type, dataOffset, dataBytes }: Section): Recorded[] {
  if (type !== "hash" && type !== "digest") return [];
  const { layout, sums } = DIGESTS[type];
  if (dataBytes < layout.sizeBytes) throw damaged(file, "a digest is cut off", dataOffset);
  const { bytes, view } = readBytes(file, dataOffset, layout.sizeBytes);
  const end = layout.sizeBytes - 4;
  if (adler32(bytes.subarray(0, end)) !== view.getUint32(end, true)) {
    throw damaged(file, "the checksum of a digest is wrong", dataOffset);
  }
  const values: Readonly<Record<string, unknown>> = layout.read(view, 0);
  return sums.flatMap(([method, field]) => {
    const value = values[field];
    // One that was not computed is zeros.
    const isThere = value instanceof Uint8Array && value.some((byte) => byte !== 0);
    return isThere ? [{ method, expected: value.toHex() }] : [];
  });
}
