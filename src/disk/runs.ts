/**
 * What a disk consists of, through the whole chain of its images: what is stored, and what merely
 * reads as zeros. Block status, `--map` and seeking all ask here.
 *
 * @module
 */
import type { Attempt } from "../storage/attempt.ts";
import type { ImageFile } from "../storage/image_file.ts";
import { Extent, type MappedDisk, Mapping } from "../image/mapping.ts";

/** Images of a chain at most: more are a mistake or an attack. As in libvirt. */
export const MAX_CHAIN_IMAGES = 200;

/** A run of guest bytes; one record is filled again and again. The words are those of qemu-img(1). */
export class Run {
  lengthBytes = 0;
  /** Whether files are asked for holes, where that pays; for all answers from then on. */
  seesHoles = true;
  /** Whether it is known to read as zeros. */
  isZero = false;
  /** Whether it is stored somewhere. */
  isData = false;
  /** Whether any image of the chain says something of it. */
  isPresent = false;
  isCompressed = false;
  /** Of the image that says so: 0 for the first one, 1 for the one below. */
  depth = 0;
  /** Where it is stored, if it is stored as it is: not compressed, not encrypted. */
  file: ImageFile | undefined = undefined;
  hostOffset = 0;
  /** What the last image asked has said; after a failure, its attempt says what has to come first. */
  readonly mapping = new Mapping();

  /** Whether finding it may wait for a disk, and what came in its way. */
  get attempt(): Attempt {
    return this.mapping.attempt;
  }
}

/**
 * Fills `run` with what the guest bytes from `guestOffset` on are, for as many of `lengthBytes` as
 * one answer holds for: what follows may be the same once more.
 *
 * @returns false if that would wait for a disk
 * @throws {ImageFormatError} if the metadata of this place is damaged
 */
export function findRun(
  image: MappedDisk,
  guestOffset: number,
  lengthBytes: number,
  run: Run,
): boolean {
  const { mapping } = run;
  let asked = image;
  let offset = guestOffset;
  let bytes = lengthBytes;
  for (let depth = 0; depth < MAX_CHAIN_IMAGES; depth++) {
    asked.map(offset, bytes, mapping);
    if (mapping.kind === Extent.Blocked) return false;
    bytes = mapping.lengthBytes;
    run.depth = depth;
    if (mapping.kind !== Extent.Backing) {
      describe(asked, bytes, run);
      return true;
    }
    const below = mapping.image;
    const inside = below === undefined ? 0 : below.sizeBytes - mapping.guestOffset;
    if (below === undefined || inside <= 0) {
      setZero(run, bytes);
      run.isPresent = false;
      return true;
    }
    asked = below;
    offset = mapping.guestOffset;
    bytes = Math.min(bytes, inside);
  }
  throw new Error(`more than ${MAX_CHAIN_IMAGES} images below each other`);
}

/** What `run.mapping`, an answer of `image`, means. */
function describe(image: MappedDisk, lengthBytes: number, run: Run): void {
  const { kind, file, hostOffset } = run.mapping;
  if (kind === Extent.Zero) return setZero(run, lengthBytes);
  run.lengthBytes = lengthBytes;
  run.isZero = false;
  run.isData = true;
  run.isPresent = true;
  run.isCompressed = kind === Extent.Packed;
  run.file = kind === Extent.Data ? file : undefined;
  run.hostOffset = hostOffset;
  if (run.file === undefined || !run.seesHoles || image.fileHoles === undefined) return;
  findHole(image, run.file, run);
}

/** What is a hole in its file, is one in the disk. Where telling might take long, nothing is. */
function findHole({ fileHoles }: MappedDisk, file: ImageFile, run: Run): void {
  if (!run.attempt.mayWait && file.cacheKnowledge === "unknown") return;
  const stored = file.storedBytes(run.hostOffset, run.lengthBytes);
  run.lengthBytes = Math.abs(stored);
  run.isZero = stored < 0;
  run.isData = !run.isZero || fileHoles === "zeros";
}

function setZero(run: Run, lengthBytes: number): void {
  run.lengthBytes = lengthBytes;
  run.isZero = true;
  run.isData = false;
  run.isPresent = true;
  run.isCompressed = false;
  run.file = undefined;
}
